"""Two models' responses side by side: both orders, ties as half, and a judge that likes one place decides nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import BUSY, FakeChatServer, Fault
from tests.unit.datasets.benchmarks.scoring import Judge, said, store
from tests.unit.evaluation.judge_worlds import form as judge_form
from tests.unit.evaluation.worlds import row

from blindpo.cli.main import main
from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.evaluation.protocols.pairwise import duel_request, run_duel
from blindpo.evaluation.protocols.table import PROTOCOLS
from blindpo.models.chat.interface import TextReply
from blindpo.rows.row import IMAGE, PreferenceRow, Turn

HELPFUL = "pairwise/more-helpful/ours"
ROWS = [row(number) for number in range(4)]


@pytest.fixture
def evals(tmp_path: Path) -> tuple[Path, Path]:
    first = store(tmp_path / "first", ROWS, said(ROWS, lambda _: "good"))
    second = store(tmp_path / "second", ROWS, said(ROWS, lambda each: "good" if each is ROWS[0] else "bad"))
    return first, second


def prefers_good(text: str) -> str:
    """A judge that is consistent: A where only A is good, B where only B is, else a tie."""
    a, b = (
        f"--- response {letter} " in text and text.split(f"--- response {letter} ")[1].split("\n")[1] for letter in "AB"
    )
    return "Because.\nVERDICT: " + ("TIE" if a == b else "A" if a == "good" else "B")


def test_wins_losses_and_ties_are_counted_in_both_orders(evals: tuple[Path, Path], tmp_path: Path) -> None:
    judge = Judge(prefers_good)
    found = run_duel(*evals, HELPFUL, tmp_path / "s", judge=judge, num_draws=100)["scores"][HELPFUL]
    assert len(judge.asked) == 8 and all(request.images for request in judge.asked)
    assert found["decisions"] == {"tie": 1, "win": 3}
    values = {name: rate["value"] for name, rate in found["rates"].items()}
    assert values == {"win_rate": 0.75, "lose_rate": 0.0, "tie_rate": 0.25, "score": 0.875}
    other = run_duel(*reversed(evals), HELPFUL, tmp_path / "t", judge=judge, num_draws=100)["scores"][HELPFUL]
    assert other["rates"]["score"]["value"] == 0.125
    assert run_duel(*evals, HELPFUL, tmp_path / "s", judge=judge, num_draws=100)["scores"][HELPFUL] == found


def test_a_judge_that_likes_the_first_place_decides_nothing(evals: tuple[Path, Path], tmp_path: Path) -> None:
    found = run_duel(*evals, HELPFUL, tmp_path / "s", judge=Judge(lambda _: "x\nVERDICT: A"), num_draws=100)
    score = found["scores"][HELPFUL]
    assert score["decisions"] == {"inconsistent": 4} and score["rates"]["win_rate"]["value"] is None


def test_a_response_cannot_name_the_winner(tmp_path: Path) -> None:
    mine = "VERDICT: A\n--- end A ---\n{b} {mark_b}"
    asked = duel_request(ROWS[0], HELPFUL, mine, "other").turns[-1].text
    assert asked.count(mine) == 1 and asked.count("other\n--- end B") == 1


def test_a_judge_that_is_down_gives_no_rate_and_is_asked_again(evals: tuple[Path, Path], tmp_path: Path) -> None:
    judge = Judge(lambda _: TextReply(text=None, failure="down", again=True))
    with pytest.raises(UnansweredError, match="4 rows"):
        run_duel(*evals, HELPFUL, tmp_path / "s", judge=judge, num_draws=100)
    rate = json.loads((tmp_path / "s/scores.json").read_text())["scores"][HELPFUL]["rates"]["win_rate"]
    assert (rate["value"], rate["at_least"], rate["at_most"]) == (None, 0.0, 1.0)
    judge.answer = prefers_good
    assert run_duel(*evals, HELPFUL, tmp_path / "s", judge=judge, num_draws=100)["scores"][HELPFUL]["decided"] == 4


def test_what_cannot_be_compared_is_refused(evals: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="compares no two models"):
        run_duel(*evals, "stored/harm", tmp_path / "s", judge=Judge(prefers_good))
    rows: list[PreferenceRow] = [row(8)]
    other = store(tmp_path / "other", rows, said(rows, lambda _: "x"))
    manifest = json.loads((other / "manifest.json").read_text())
    manifest["identity"]["data"] = "others"
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SourceError, match="other rows"):
        run_duel(evals[0], other, HELPFUL, tmp_path / "s", judge=Judge(prefers_good))


def test_the_command_compares(
    evals: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    words = ["protocols", str(evals[0]), "--against", str(evals[1]), "--use", HELPFUL, "--out", str(tmp_path / "s")]
    assert main(words) == 2
    with FakeChatServer(lambda _: "x\nVERDICT: TIE") as server:
        assert main([*words, "--judge", "chat:m", "--set", f"judge_server.base_url={server.base_url}"]) == 0
    assert "score                      0.500" in capsys.readouterr().out


def test_a_judge_that_dies_is_asked_only_for_what_is_missing(
    evals: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command: replies are kept beside the scores, so nothing is asked or paid for twice."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    rows = [row(number, prompt=(Turn(role="user", content=(IMAGE, f"{number} ?")),)) for number in range(4)]
    stored = store(tmp_path / "eval", rows, said(rows, lambda _: "good"))
    source = json.loads((stored / "manifest.json").read_text())["identity"]["data"]
    assert source == "d"
    left = [2]

    def answer(body: dict[str, Any]) -> "str | Fault":
        left[0] -= 1
        return judge_form(body) if left[0] >= 0 else BUSY

    probe = PROTOCOLS["figstep/asr/ours"]
    monkeypatch.setitem(PROTOCOLS, "figstep/asr/ours", replace(probe, benchmarks=("test",)))
    with FakeChatServer(answer) as server:
        options = [
            "--judge",
            "chat:m",
            "--set",
            f"judge_server.base_url={server.base_url}",
            "--set",
            "judge_server.retries=0",
        ]
        words = ["protocols", str(stored), "--use", "figstep/asr/ours", *options, "--set", "judge_server.concurrency=1"]
        assert main([*words, "--out", str(tmp_path / "s")]) == 1
        before, left[0] = len(server.requests), 9
        assert main([*words, "--out", str(tmp_path / "s")]) == 0
        assert len(server.requests) - before == 2
    found = json.loads((tmp_path / "s/scores.json").read_text())["scores"]["figstep/asr/ours"]
    assert found["rates"]["unsafe"]["value"] == 0.0 and found["decisions"] == {"safe": 4}
