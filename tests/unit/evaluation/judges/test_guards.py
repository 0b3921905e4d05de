"""Guards: parsers on outputs written after each guard's documented form, prompts, and real loading of tiny models."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fakes import FakeChatServer
from tests.tiny_models import byte_tokenizer, save_tiny_llava
from tests.unit.evaluation.judge_worlds import case
from transformers import LlamaConfig, LlamaForCausalLM

from blindpo.errors import ConfigError, ModelError, SourceError
from blindpo.evaluation.judges.guards.material import GuardPrompt
from blindpo.evaluation.judges.guards.table import FAMILIES, guard_prompt
from blindpo.evaluation.judges.judge import verdicts_of
from blindpo.evaluation.judges.options import JudgeOptions
from blindpo.evaluation.judges.table import find_judge
from blindpo.models.chat.config import ServerConfig
from blindpo.models.chat.interface import TextRequest
from blindpo.models.classifiers.guard_model import GuardModel, load_guard
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, ImageRef, Turn

TEXT_TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}judge:"


def prompt(family: str, **options: Any) -> GuardPrompt:
    return guard_prompt(family, "m", JudgeOptions(**options), words=None)


DOCUMENTED = {
    "llama-guard-4": [
        ("safe", "safe"),
        ("\n\nsafe", "safe"),
        ("unsafe\nS9", "unsafe"),
        ("\n\nunsafe\nS1,S10", "unsafe"),
        ("unsafe", "unsafe"),
        ("safe\nS1", "none"),
        ("safe, as far as I see", "none"),
        ("The response is safe", "none"),
        ("unsafe\nbecause", "none"),
        ("S1", "none"),
        ("", "none"),
    ],
    "qwen3guard": [
        ("Safety: Safe\nCategories: None\nRefusal: Yes", "safe"),
        ("Safety: Unsafe\nCategories: Violent\nRefusal: No", "unsafe"),
        ("Safety: Controversial\nCategories: Unethical Acts, Jailbreak\nRefusal: No\n", "unsafe"),
        ("Safety: Safe", "none"),
        ("Safety: Safe\nCategories: None\nRefusal: Yes\nSafety: Unsafe", "none"),
        ("Safety: Harmless\nCategories: None\nRefusal: No", "none"),
        ("safe", "none"),
    ],
    "md-judge": [
        ("safe", "safe"),
        ("unsafe\nO4", "unsafe"),
        ("unsafe O1, O2", "unsafe"),
        ("[RESULT]: unsafe\n[CATEGORY]: O5\n[SCORE]: 4", "unsafe"),
        ("[ANALYSIS]: it declines.\n[RESULT]: safe\n[SCORE]: 1", "safe"),
        ("[RESULT]: safe\n[RESULT]: unsafe", "none"),
        ("The [RESULT] says\n[RESULT]: safe", "none"),
        ("[RESULT]: safe enough", "none"),
        ("safe O1", "none"),
    ],
    "llavaguard": [
        ('{"rating": "Unsafe", "category": "O3: Sexual Content", "rationale": "It shows ..."}', "unsafe"),
        ('{"rating": "Safe", "category": "NA: None applying", "rationale": "A red ball."}', "safe"),
        ('{"rating": "safe"}', "none"),
        ('{"rating": "Safe"} {"rating": "Unsafe"}', "none"),
        ("[1]", "none"),
        ("Safe", "none"),
    ],
}


@pytest.mark.parametrize(
    ("family", "text", "harm"), [(family, *pair) for family, pairs in DOCUMENTED.items() for pair in pairs]
)
def test_outputs_after_the_documented_form_are_read_and_all_else_is_no_verdict(
    family: str, text: str, harm: str
) -> None:
    found = prompt(family).parse(case("a ball"), text)
    assert ("none" if found is None else found.harm) == harm


def test_qwen3guard_tells_refusals_and_counts_its_third_label_as_it_is_told() -> None:
    text = "Safety: Controversial\nCategories: Unethical Acts\nRefusal: Yes"
    loose = prompt("qwen3guard", judge_controversial="safe")
    found = loose.parse(case("x"), text)
    assert found is not None
    assert (found.harm, found.engagement) == ("safe", "refuses")
    assert loose.id != prompt("qwen3guard").id


def test_a_guard_is_shown_roles_in_turn_with_the_response_last() -> None:
    turns = (
        Turn(role="system", content=("Be kind.",)),
        Turn(role="user", content=("look ", IMAGE)),
        Turn(role="assistant", content=("yes",)),
        Turn(role="user", content=("and ?",)),
    )
    seen = prompt("llama-guard-4").request(case("a ball", prompt=turns))
    assert isinstance(seen, TextRequest)
    assert [turn.role for turn in seen.turns] == ["user", "assistant", "user", "assistant"]
    assert (seen.turns[0].text, seen.turns[-1].text, len(seen.images)) == ("Be kind.\n\nlook ", "a ball", 1)
    blind = prompt("qwen3guard").request(case("a ball", prompt=turns))
    assert isinstance(blind, TextRequest)
    assert blind.images == ()


def test_what_a_guard_cannot_take_is_no_verdict_with_its_reason(tmp_path: Path) -> None:
    two = case("a ball", prompt=(Turn(role="user", content=(IMAGE, IMAGE)),), images=(case("x").row.images * 2))
    assert "takes 1 image" in str(prompt("llama-guard-3-vision").request(two))
    assert "there is none" in str(prompt("llavaguard").request(case("a ball", view="text")))
    model = save_tiny_llava(tmp_path / "tiny")
    judge = find_judge(f"hf:llama-guard-3-vision:{model}", JudgeOptions())
    found = list(verdicts_of(judge, [two, case("a ball", 2), two], tmp_path))
    assert [verdict.row_id for verdict in found] == ["r0", "r2", "r0"]
    assert [verdict.raw is None for verdict in found] == [True, False, True]
    assert {verdict.harm for verdict in found} == {"none"}


def test_prompts_from_files_are_hashed_and_named_and_hold_both_texts(tmp_path: Path) -> None:
    (tmp_path / "card.txt").write_text("Q: {question}\nA: {answer}\nverdict?")
    words = (tmp_path / "card.txt").read_text()
    made = guard_prompt("md-judge", "m", JudgeOptions(), words=words)
    asked = made.request(case("see {question} and {answer}"))
    assert isinstance(asked, TextRequest)
    assert asked.turns[0].text == "Q: what is this ?\nA: see {question} and {answer}\nverdict?"
    assert (made.id, prompt("md-judge").id) == ("md-judge/file", "md-judge/ours")
    assert made.sha256 != prompt("md-judge").sha256
    many = made.request(case("a", prompt=(Turn(role="user", content=("x",)), Turn(role="user", content=("y",)))))
    assert isinstance(many, TextRequest)
    assert "user: x\nuser: y" in many.turns[0].text


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("meta-llama/Llama-Guard-3-11B-Vision@1a2b3c4", "LlamaGuard"),
        ("meta-llama/Llama-Guard-3-8B@1a2b3c4", "LlamaGuard"),
        ("meta-llama/Llama-Guard-4-12B@1a2b3c4", "LlamaGuard"),
        ("Qwen/Qwen3Guard-Gen-0.6B@1a2b3c4", "Qwen3Guard"),
        ("AIML-TUDA/LlavaGuard-v1.2-7B-OV-hf@1a2b3c4", "LlavaGuard"),
        ("OpenSafetyLab/MD-Judge-v0.1@1a2b3c4", "MdJudge"),
    ],
)
def test_a_family_is_read_from_the_published_name(model: str, family: str) -> None:
    assert type(guard_prompt(None, model, JudgeOptions(), words=None)).__name__ == family


def test_options_that_a_family_does_not_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("{answer}")
    (tmp_path / "q.txt").write_text("no place for it")
    file = JudgeOptions(judge_prompt_file=str(tmp_path / "p.txt"))
    with pytest.raises(ConfigError, match="judge_prompt_file has no effect with qwen3guard"):
        find_judge("hf:qwen3guard:a/b@1a2b3c4", file)
    with pytest.raises(ConfigError, match="judge_controversial has no effect with md-judge"):
        find_judge("hf:md-judge:a/b@1a2b3c4", JudgeOptions(judge_controversial="safe"))
    with pytest.raises(ConfigError, match=r"has no \{answer\}"):
        find_judge("hf:md-judge:a/b@1a2b3c4", JudgeOptions(judge_prompt_file=str(tmp_path / "q.txt")))
    with pytest.raises(SourceError, match="cannot be read"):
        find_judge("hf:md-judge:a/b@1a2b3c4", JudgeOptions(judge_prompt_file=str(tmp_path / "nothing.txt")))
    assert find_judge("hf:md-judge:a/b@1a2b3c4", file).identity["prompt"] == "md-judge/file"
    assert set(FAMILIES) >= set(DOCUMENTED)


def save_text_guard(folder: Path, *, template: str | None = TEXT_TEMPLATE, pad: bool = True) -> Path:
    """A tiny random causal model with a byte tokenizer, as a text guard is saved."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    if not pad:
        tokenizer.pad_token = None
    if template is not None:
        tokenizer.chat_template = template
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def guard(folder: Path, *, batch_size: int = 3) -> GuardModel:
    return load_guard("hf:g", resolve_model(folder), dtype="float32", batch_size=batch_size, generation_prompt=False)


@pytest.mark.parametrize("pad", [True, False])
def test_a_text_guard_answers_the_same_alone_and_in_a_batch(pad: bool, tmp_path: Path) -> None:
    folder = save_text_guard(tmp_path / "guard", pad=pad)
    requests = [
        TextRequest(turns=(Turn(role="user", content=(text,)),), max_tokens=5) for text in ("a", "a longer one", "b")
    ]
    together = [reply.text for reply in guard(folder).replies(requests)]
    assert together == [reply.text for reply in guard(folder, batch_size=1).replies(requests)]
    assert all(together)


def test_a_text_guard_judges_end_to_end_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    judge = find_judge(f"hf:qwen3guard:{save_text_guard(tmp_path / 'guard')}", JudgeOptions())
    first = list(verdicts_of(judge, [case("a ball"), case("sorry", 2)], tmp_path))
    assert [verdict.harm for verdict in first] == ["none", "none"]
    assert all(verdict.raw and verdict.revision for verdict in first)
    assert list(verdicts_of(judge, [case("a ball"), case("sorry", 2)], tmp_path)) == first
    assert (tmp_path / "judge-replies.jsonl").read_text().count("\n") == 2


def test_a_guard_behind_a_server_gets_the_conversation_and_its_form_is_read(tmp_path: Path) -> None:
    says = iter(["Safety: Unsafe\nCategories: Violent\nRefusal: No", "Safety: Safe", "I think it is safe."])
    with FakeChatServer(lambda _: next(says)) as server:
        options = JudgeOptions(judge_server=ServerConfig(base_url=server.base_url, concurrency=1))
        judge = find_judge("served:Qwen/Qwen3Guard-Gen-8B", options)
        cases = [case("a <|im_end|> ball"), case("sorry", 2), case("no", 4)]
        found = list(verdicts_of(judge, cases, tmp_path))
    assert [(verdict.harm, verdict.engagement) for verdict in found] == [
        ("unsafe", "answers"),
        ("none", "none"),
        ("none", "none"),
    ]
    sent = server.requests[0]
    assert sent["model"] == "Qwen/Qwen3Guard-Gen-8B"
    assert sent["messages"] == [
        {"role": "user", "content": "what is this ?"},
        {"role": "assistant", "content": "a < |im_end|> ball"},
    ]


def test_control_tokens_in_a_response_do_not_act(tmp_path: Path) -> None:
    model = guard(save_text_guard(tmp_path / "guard"))
    rendered = model._render((Turn(role="user", content=("it is </s> over <image>",)),))
    assert "</s>" not in rendered
    assert "< /s> over < image>" in rendered


def test_a_broken_image_is_a_reply_without_text(tmp_path: Path) -> None:
    model = guard(save_tiny_llava(tmp_path / "tiny"))
    broken = TextRequest(turns=(Turn(role="user", content=(IMAGE,)),), images=(ImageRef(data=b"x"),))
    (found,) = model.replies([broken])
    assert (found.text, found.again) == (None, False)


def test_a_guard_that_cannot_be_loaded_says_why(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no chat template"):
        guard(save_text_guard(tmp_path / "plain", template=None))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text('{"model_type": "unheard-of"}')
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be loaded"):
        guard(tmp_path / "broken")
