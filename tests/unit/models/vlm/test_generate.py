"""A sampled answer depends on seed, row id and draw, never on its batch; blank ones are redrawn, long ones are cut."""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from blindpo.errors import ConfigError
from blindpo.models.vlm import generate as module
from blindpo.models.vlm.generate import Answer, GumbelNoise, Request, generate
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.load import Vlm
from blindpo.rows.row import IMAGE, ImageRef, Turn

SAMPLED = GenerationConfig(max_new_tokens=8, temperature=1.0, top_k=40, top_p=0.95, batch_size=16)


def drawn_image(red: int) -> ImageRef:
    sink = io.BytesIO()
    Image.new("RGB", (30, 30), (red, 0, 0)).save(sink, format="PNG")
    return ImageRef(data=sink.getvalue())


def requests() -> list[Request]:
    seeing = [
        Request(
            row_id=f"s{i}", turns=(Turn(role="user", content=(IMAGE, "what" + "?" * i)),), images=(drawn_image(9 * i),)
        )
        for i in range(4)
    ]
    blind = [Request(row_id=f"b{i}", turns=(Turn(role="user", content=("hello " * (i + 1),)),)) for i in range(4)]
    return [*seeing, *blind, *(replace(request, draw=1) for request in blind)]


def test_answers_do_not_depend_on_batch_order_or_the_global_generator(tiny_vlm: Vlm) -> None:
    wanted = requests()
    state = torch.get_rng_state()
    together = generate(tiny_vlm, wanted, SAMPLED)
    assert torch.equal(torch.get_rng_state(), state)
    assert generate(tiny_vlm, wanted, replace(SAMPLED, batch_size=1)) == together
    assert generate(tiny_vlm, wanted[::-1], replace(SAMPLED, batch_size=5)) == together[::-1]
    assert generate(tiny_vlm, wanted, replace(SAMPLED, seed=43)) != together
    assert together[4:8] != together[8:]  # another draw of the same rows


def test_greedy_is_the_argmax(tiny_vlm: Vlm) -> None:
    first = generate(tiny_vlm, requests(), GenerationConfig(max_new_tokens=5))
    assert first[4:8] == first[8:]


def test_a_long_answer_is_cut_and_a_stopped_one_is_not(tiny_vlm: Vlm) -> None:
    eos = tiny_vlm.processor.tokenizer.eos_token_id
    letter = tiny_vlm.processor.tokenizer("a", add_special_tokens=False)["input_ids"][0]
    cut = module._answer(tiny_vlm.processor, [letter] * 3, {eos}, 0)
    assert cut == Answer(text="aaa", cut=True, num_tokens=3)
    stopped = module._answer(tiny_vlm.processor, [letter, eos, letter], {eos}, 0)
    assert stopped == Answer(text="a", cut=False, num_tokens=1)


def test_a_thought_is_no_part_of_the_answer(tiny_vlm: Vlm) -> None:
    def answer(text: str, opened: str = "") -> Answer:
        ids = tiny_vlm.processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return module._answer(tiny_vlm.processor, ids, set(), 0, opened=opened)

    thinking = answer("<think>\nhm\n</think>\n\nno")
    assert (thinking.thought, thinking.text, thinking.num_tokens) == ("hm", "no", 23)
    assert answer("hm", "<think>") == Answer(text="", cut=True, num_tokens=2, thought="hm")


def test_a_prompt_that_opens_the_thought_is_seen(tiny_vlm: Vlm, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    plain = module._answer

    def watched(*args: Any, **options: Any) -> Answer:
        opened.append(options["opened"])
        return plain(*args, **options)

    monkeypatch.setattr(module, "_answer", watched)
    template = tiny_vlm.processor.chat_template
    for end in ("<think>\n", "<think>\n\n</think>\n\n"):
        monkeypatch.setattr(
            tiny_vlm.processor, "chat_template", template.replace("nassistant:' }}", f"nassistant:{end}' }}}}")
        )
        generate(tiny_vlm, requests()[4:5], GenerationConfig(max_new_tokens=2))
    assert opened == ["<think>", ""]


@pytest.mark.parametrize(("temperature", "attempts"), [(1.0, [0, 1, 2, 3]), (0.0, [0])])
def test_blank_answers_are_redrawn_three_times_when_sampled(
    tiny_vlm: Vlm, monkeypatch: pytest.MonkeyPatch, temperature: float, attempts: list[int]
) -> None:
    seen: list[int] = []

    def blank(
        vlm: Any, prompts: Sequence[Any], wanted: Sequence[Request], config: Any, *, attempt: int
    ) -> list[Answer]:
        seen.append(attempt)
        good = [request.row_id == "b0" and attempt == 2 for request in wanted]
        return [Answer(text="yes" if g else " \n", cut=False, num_tokens=1, redraws=attempt) for g in good]

    monkeypatch.setattr(module, "_answer_batch", blank)
    answers = generate(tiny_vlm, requests()[4:6], replace(SAMPLED, temperature=temperature, top_k=0, top_p=1.0))
    assert seen == attempts
    assert answers[1] is None
    assert (answers[0] is not None) == (temperature > 0)


def test_noise_is_gumbel_and_the_same_however_far_it_is_drawn_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, scores = torch.zeros(2, 1, dtype=torch.long), torch.zeros(2, 5000)
    many = GumbelNoise([1, 2])
    ahead = [many(ids, scores) for _ in range(3)]
    monkeypatch.setattr(module, "NOISE_VALUES", 1)
    one_by_one = GumbelNoise([1, 2])
    for noise in ahead:
        assert torch.equal(one_by_one(ids, scores), noise)
    values = torch.cat(ahead).numpy()
    assert np.isfinite(values).all()
    assert abs(values.mean() - np.euler_gamma) < 0.02
    assert abs(values.std() - np.pi / 6**0.5) < 0.02


@pytest.mark.parametrize(
    "wrong",
    [{"max_new_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"batch_size": 0}, {"top_p": 0.9}],
)
def test_values_out_of_range_or_without_effect_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GenerationConfig(**wrong)
