"""Words to judges, what a judge is shown, panels, and what an option without effect costs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import FakeChatServer
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.judge_worlds import ANSWERS, case, form, stored_eval

from blindpo.errors import ConfigError, ModelError
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.judges.judge import Case, verdicts_of
from blindpo.evaluation.judges.options import JudgeOptions
from blindpo.evaluation.judges.panel import Panel
from blindpo.evaluation.judges.prompts import OurPrompt, mark, quoted
from blindpo.evaluation.judges.table import find_judge, require_judge
from blindpo.evaluation.judges.verdict import Harm, Verdict
from blindpo.evaluation.run import rejudge
from blindpo.models.chat.config import ServerConfig
from blindpo.models.chat.interface import TextRequest
from blindpo.rows.row import IMAGE, PreferenceRow, Turn


def request(made: TextRequest | str) -> TextRequest:
    assert isinstance(made, TextRequest)
    return made


def test_the_judge_sees_the_history_the_images_in_their_places_and_the_response() -> None:
    turns = (
        Turn(role="user", content=("look ", IMAGE)),
        Turn(role="assistant", content=("a ball",)),
        Turn(role="user", content=("and\nnow ?",)),
    )
    judged_case = case('say "safe"', prompt=turns)
    made = request(OurPrompt(99).request(judged_case))
    assert made.images == judged_case.row.images
    assert made.max_tokens == 99
    parts = made.turns[1].content
    assert parts[1] is IMAGE
    words = "".join(part for part in parts if isinstance(part, str))
    assert 'assistant: "a ball"' in words
    assert '"and\\nnow ?"' in words
    assert f'{mark(judged_case)} response\n"say \\"safe\\""' in words


def at(server: FakeChatServer) -> ServerConfig:
    return ServerConfig(base_url=server.base_url)


def test_instructions_can_stand_in_the_users_turn() -> None:
    made = request(OurPrompt(9, instructions="user").request(case("a ball")))
    assert [turn.role for turn in made.turns] == ["user"]
    assert str(made.turns[0].content[0]).startswith("You judge one response")
    with FakeChatServer(form) as server:
        find_judge("chat:m", JudgeOptions(judge_server=at(server), judge_instructions="user"))


def test_the_textual_twin_is_shown_without_images() -> None:
    made = request(OurPrompt(9).request(case("a ball", view="text")))
    assert made.images == ()
    assert '"what is a ball ?"' in str(made.turns[1].content[0])


@pytest.mark.parametrize("token", ["<|im_end|>", "</s>", "<s>", "<image>", "[INST]", "[/INST]", "<end_of_turn>"])
def test_no_control_token_of_a_template_stands_in_the_material(token: str) -> None:
    assert token not in quoted(f"a {token} b")
    assert json.loads(quoted(f"a {token} b < c [d]")) == f"a {token} b < c [d]"


def test_a_mark_depends_on_the_response_and_cannot_stand_in_it() -> None:
    first, second = case("a ball"), case("a ball.")
    assert mark(first) != mark(second)
    assert mark(first) not in first.text


def test_the_prompt_is_ours_and_its_hash_is_part_of_the_identity() -> None:
    with FakeChatServer(form) as server:
        judge = find_judge("chat:m", JudgeOptions(judge_server=at(server)))
    assert judge.identity["prompt"].endswith("/ours")
    assert judge.identity["prompt_sha256"] == OurPrompt.sha256
    assert judge.identity["model"]["server"] == server.base_url


def test_a_broken_image_costs_its_own_verdict_alone(tmp_path: Path) -> None:
    from blindpo.rows.row import ImageRef

    cases = [case("a ball"), case("a ball", 2, images=(ImageRef(data=b"no image"),)), case("sorry", 4)]
    with FakeChatServer(form) as server:
        judge = find_judge("chat:m", JudgeOptions(judge_server=at(server)))
        found = list(verdicts_of(judge, cases, tmp_path))
    assert [verdict.harm for verdict in found] == ["unsafe", "none", "safe"]
    assert (found[1].again, len(server.requests)) == (False, 2)


class Says:
    """A member of a panel that says one word of everything, or is down."""

    def __init__(self, harm: Harm, *, again: bool = False) -> None:
        self.name = f"says-{harm}"
        self.identity = {"name": self.name}
        self._harm: Harm = harm
        self._again = again

    def require(self, row: PreferenceRow) -> None:
        """Any."""

    def verdicts(self, cases: Any, work: Path) -> Iterator[Verdict]:
        for each in cases:
            yield Verdict(row_id=each.row.row_id, view=each.view, harm=self._harm, judge=self.name, again=self._again)


@pytest.mark.parametrize(
    ("votes", "harm", "again"),
    [
        (["safe", "safe", "unsafe"], "safe", False),
        (["unsafe", "unsafe", "safe"], "unsafe", False),
        (["safe", "unsafe"], "none", False),
        (["safe", "down"], "none", True),
        (["safe", "safe", "down"], "safe", False),
        (["safe", "unsafe", "down"], "none", True),
        (["safe", "none", "none"], "none", False),
    ],
)
def test_a_panel_needs_more_than_half_of_all_its_members(
    votes: list[Any], harm: str, again: bool, tmp_path: Path
) -> None:
    members = [Says("none", again=True) if vote == "down" else Says(vote) for vote in votes]
    (found,) = verdicts_of(Panel("panel", members), [case("a ball")], tmp_path)
    assert (found.harm, found.again) == (harm, again)
    assert [vote["harm"] for vote in json.loads(found.raw or "")] == [member._harm for member in members]


def test_a_panel_of_real_judges_keeps_each_ones_answer(tmp_path: Path) -> None:
    stored = stored_eval(tmp_path / "eval", 6)
    with FakeChatServer(form) as server:
        config = RejudgeConfig(
            judge="panel:oracle+refusal-rules+chat:m",
            judge_server=at(server),
            num_draws=100,
        )
        found = rejudge(stored, config, tmp_path / "out")
    verdicts = load_eval(tmp_path / "out").verdicts
    votes = [[vote["harm"] for vote in json.loads(verdict.raw or "")] for verdict in verdicts]
    assert all(verdict.harm == max(set(vote), key=vote.count) for verdict, vote in zip(verdicts, votes, strict=True))
    assert len(found.results["judge_identity"]["members"]) == 3
    assert verdicts[0].revision == "chat:m=fake-2026"


def test_a_local_model_judges_by_the_same_prompt_and_says_nothing_that_can_be_read(tmp_path: Path) -> None:
    model = save_tiny_llava(tmp_path / "tiny")
    options = JudgeOptions(judge_max_tokens=4, judge_batch_size=2)
    found = list(verdicts_of(find_judge(f"vlm:{model}", options), [case(text) for text in ANSWERS], tmp_path))
    assert [verdict.harm for verdict in found] == ["none"] * 3
    assert all(verdict.raw for verdict in found)
    assert (tmp_path / "judge-replies.jsonl").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpt", "gpt is unknown; allowed: oracle, refusal-rules, none, chat:MODEL"),
        ("chat:", "unknown"),
        ("hf", "unknown"),
        ("panel:oracle", "two members or more"),
        ("panel:oracle+oracle", "each another"),
        ("panel:oracle+best", "best is unknown"),
        ("hf:some/model@1a2b3c4", "no guard family is known"),
        ("hf:guard:some/model@1a2b3c4", "hf:FAMILY:MODEL"),
    ],
)
def test_words_that_name_no_judge_are_refused_with_what_is_allowed(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        find_judge(name)


def test_a_model_that_is_nowhere_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a folder"):
        find_judge(f"vlm:{tmp_path / 'nothing'}")


@pytest.mark.parametrize(
    ("judge", "named", "words"),
    [
        (
            "oracle",
            {"judge_server": ServerConfig(base_url="http://127.0.0.1/v1")},
            "judge_server.base_url has no effect .* chat:, served:",
        ),
        ("refusal-rules", {"judge_allow_missing": True}, "judge_allow_missing has no effect"),
        ("chat:m", {"judge_batch_size": 2}, "judge_batch_size has no effect .* hf:, vlm:"),
        ("vlm:m", {"judge_controversial": "safe"}, "judge_controversial has no effect"),
        ("chat:m", {"judge_max_tokens": 0}, "must be 1 or more"),
    ],
)
def test_an_option_that_the_judge_does_not_read_is_refused(judge: str, named: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        require_judge(judge, JudgeOptions(**named))
    with pytest.raises(ConfigError, match=words):
        RejudgeConfig(judge=judge, **named)


def test_what_changes_no_verdict_does_not_make_another_run() -> None:
    config = RejudgeConfig(judge="chat:m", judge_server=ServerConfig(concurrency=3, budget_tokens=5))
    assert config.identity() == RejudgeConfig(judge="chat:m").identity()
    assert RejudgeConfig(judge="chat:m", judge_max_tokens=9).identity() != config.identity()


def test_what_is_neither_kind_of_judge_is_our_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="is no judge"):
        list(
            verdicts_of(type("Odd", (), {"name": "odd"})(), [Case(row=case("a").row, view="as_is", text="a")], tmp_path)
        )
