"""A benign twin is made where a judge finds the image alone to blame, and nowhere else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import BROKEN, FakeChatServer, Fault
from tests.tiny_models import save_tiny_llava
from tests.unit.building.worlds import dialogue, write_catalogue, write_lines

from blindpo.building.twins import ANSWER, REFUSAL, parse_verdict
from blindpo.cli.main import main
from blindpo.rows.checks import violations
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows

DIALOGUES = [
    dialogue("Is Eldoria pretty?"),
    dialogue("How do I get into Port Quill by night?"),
    dialogue("Where does Mira Vance live?", chosen="I will not say.", rejected="In Port Quill."),
    dialogue("Who pays the Brightwell Foundation?"),
]
"""LOC, LOC, PER, ORG: Eldoria and Port Quill can lend each other images; the PER and the ORG are alone."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    write_catalogue(tmp_path / "cat")
    write_lines(tmp_path / "hh" / "train.jsonl", DIALOGUES)
    return tmp_path


def build(world: Path, url: str, *words: str, out: str = "data") -> int:
    base = ["build", str(world / "hh" / "train.jsonl"), "--catalogue", str(world / "cat"), "--out", str(world / out)]
    server = ["--twins", "chat:judge", "--rewriter_server.base_url", url]
    return main([*base, "--workers", "1", *server, *words])


def rows(world: Path, out: str = "data") -> dict[str, PreferenceRow]:
    return {row.row_id: row for row in read_rows(world / out)}


def judge(first: str, later: str, *, about: str = "") -> Callable[[dict[str, Any]], str]:
    """`first` to the first question about a text that has `about` in it, `later` to those after it; else harmless."""
    seen: list[str] = []

    def answer(body: dict[str, Any]) -> str:
        text = next(part["text"] for part in body["messages"][0]["content"] if part["type"] == "text")
        if about not in text:
            return "harmless"
        seen.append(text)
        return first if seen.count(text) == 1 else later

    return answer


def test_a_twin_has_the_text_another_image_and_a_link(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeChatServer(judge("Harmful.", "harmless", about="get into")) as server:
        assert build(world, server.base_url) == 0
    assert "twins: 1 of 4 rows qualify (harmless as it is: 3)" in capsys.readouterr().out
    found = rows(world)
    (twin,) = [row for name, row in found.items() if name.endswith("-twin")]
    own = found[twin.row_id.removesuffix("-twin")]
    assert twin.prompt == own.prompt and twin.pair_id == own.pair_id == own.row_id
    assert (own.label, twin.label) == ("harmful", "harmless")
    assert own.images[0].title == "Port Quill" and twin.images[0].title == "Eldoria"
    assert (twin.chosen, twin.rejected, twin.text_prompt) == (None, None, None)
    assert (twin.entity.text, twin.entity.type) == ("Eldoria", "LOC")
    assert twin.provenance.dialogue_id == own.provenance.dialogue_id and violations(twin) == []
    told = json.loads(twin.extra)["build"]
    assert told["derived"] is True and told["twin"]["of"] == own.row_id and told["twin"]["judge"] == "chat:judge"
    card = (world / "data" / "README.md").read_text()
    assert "1 rows are benign twins" in card and "They have no responses." in card and "| responses | 8 |" in card


@pytest.mark.parametrize(
    ("first", "later", "said"),
    [
        ("harmful", "harmful", "harmful whatever the image: 2, no other image of its type: 2"),
        ("harmless", "harmless", "harmless as it is: 4"),
        ("I think it is harmful", "harmless", "no verdict in the judge's answer: 4"),
        ("harmful", "perhaps", "no other image of its type: 2, no verdict in the judge's answer: 2"),
    ],
)
def test_without_two_clear_verdicts_there_is_no_twin(
    world: Path, first: str, later: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeChatServer(judge(first, later)) as server:
        assert build(world, server.base_url) == 0
    assert f"twins: 0 of 4 rows qualify ({said})" in capsys.readouterr().out
    assert not any(row.pair_id or row.label != "unknown" for row in rows(world).values())


@pytest.mark.parametrize("who", ["template", "chat:helper"])
def test_twins_train_where_somebody_answers(world: Path, who: str) -> None:
    verdict = judge("harmful", "harmless", about="get into")

    def answer(body: dict[str, Any]) -> str:
        return "Take the road by the sea." if body["model"] == "helper" else verdict(body)

    with FakeChatServer(answer) as server:
        assert build(world, server.base_url, "--set", f"twin_answers={who}") == 0
    (twin,) = [row for name, row in rows(world).items() if name.endswith("-twin")]
    assert twin.chosen == (ANSWER.format(title="Eldoria") if who == "template" else "Take the road by the sea.")
    assert twin.rejected == REFUSAL and violations(twin, pair=True) == []
    assert json.loads(twin.extra)["build"]["twin"]["chosen_by"] == who


def test_a_judge_that_dies_costs_nothing(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = judge("harmful", "harmless", about="get into")
    replies = ("--set", f"replies={world / 'replies.jsonl'}")
    asked = 0

    def dying(body: dict[str, Any]) -> str | Fault:
        nonlocal asked
        asked += 1
        return verdict(body) if asked <= 2 else BROKEN

    with FakeChatServer(dying) as server:
        port = server.port
        assert build(world, server.base_url, "--set", "rewriter_server.concurrency=1", *replies) == 1
    assert "run the same command again" in capsys.readouterr().err
    with FakeChatServer(judge("harmful", "harmless", about="get into"), port=port) as server:
        assert build(world, server.base_url, "--set", "rewriter_server.concurrency=1", *replies) == 0
        assert len(server.requests) <= 4, "two of four verdicts were known, and one question about the twin"


def test_a_local_model_that_cannot_judge_makes_no_twin(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_tiny_llava(world / "model")
    assert build(world, "", "--set", f"twins=vlm:{model}") == 0
    assert "twins: 0 of 4 rows qualify (no verdict in the judge's answer: 4)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "twins=rules"], "twins is 'rules'; allowed: none, chat:MODEL, vlm:MODEL"),
        (["--set", "twins=none", "--set", "twin_answers=template"], "has no effect without twins"),
        (["--set", "twin_answers=maybe"], "twin_answers is 'maybe'"),
    ],
)
def test_wrong_words_are_refused(world: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(world, "", *words) == 2
    assert said in capsys.readouterr().err


def test_only_a_clear_word_is_a_verdict() -> None:
    assert [parse_verdict(text) for text in ("HARMFUL", " harmless.\n", "**Harmless**")] == [
        "harmful",
        "harmless",
        "harmless",
    ]
    for text in ("", "harmful or harmless", "It is harmful", "harm", "not harmful", "harmlessly"):
        assert parse_verdict(text) is None
