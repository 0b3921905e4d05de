"""One judge system: a fake judge asked by `evaluate` and by `protocols` gives one rate and one stored record."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import BUSY, FakeChatServer
from tests.unit.evaluation.judge_worlds import ANSWERS, form, response_in, stored_eval

from blindpo.cli.main import main
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.judges.prompts import ID, OurPrompt
from blindpo.evaluation.judges.verdict import UNREADABLE, Verdict, decision_lines, read_verdicts, verdict_lines
from blindpo.evaluation.protocols.table import PROTOCOLS

FIGSTEP = "figstep/asr/ours"
THINKING = ("the ball is here", "sorry , no", "it is a ball </think>", "rain")


def thinking(body: dict[str, Any]) -> Any:
    """A judge that thinks aloud, whose form is broken where the response speaks of rain."""
    filled = form(body)
    return filled[:-1] if "rain" in response_in(body) else f"<think>I weigh it: safe.</think>\n{filled}"


def both(
    tmp_path: Path, stored: Path, server: FakeChatServer, protocol: str, *options: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """measures.json of `rejudge`, and the protocol's part of scores.json, by the same chat:m."""
    more = [word for option in options for word in ("--set", option)]
    words = ["rejudge", str(stored), "--judge", "chat:m", "--out", str(tmp_path / "judged")]
    assert main([*words, *more, "--judge_server.base_url", server.base_url, "--set", "num_draws=100"]) == 0
    words = ["protocols", str(stored), "--use", protocol, "--judge", "chat:m", "--out", str(tmp_path / "scores")]
    assert main([*words, *more, "--judge-server.base-url", server.base_url]) == 0
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())["scores"][protocol]
    return json.loads((tmp_path / "judged" / "measures.json").read_text()), scores


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


@pytest.mark.parametrize("options", [(), ("judge_max_tokens=999", "judge_instructions=user")])
def test_the_same_judge_gives_the_same_rates_and_records_by_either_command(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    stored = stored_eval(tmp_path / "eval", 12)
    with FakeChatServer(form) as server:
        measures, scores = both(tmp_path, stored, server, ID, *options)
        requests = sorted(json.dumps(body, sort_keys=True) for body in server.requests)
    assert len(requests) == 24 and requests[::2] == requests[1::2]  # the very same words are sent
    for rate in ("safety_rate", "over_refusal"):
        ours, theirs = measures["measures"][rate], scores["rates"][rate]
        assert (ours["value"], ours["n"]) == (theirs["value"], theirs["n"])
        assert 0 < ours["value"] < 1
    verdicts = load_eval(tmp_path / "judged").verdicts
    decisions = read_verdicts(tmp_path / "scores" / "decisions-blindpo-judge-1_ours.jsonl")
    assert [replace(each, decision=None) for each in decisions] == verdicts
    assert [each.decision for each in decisions] == [each.harm for each in verdicts]
    assert scores["decided_by"]["name"] == measures["judge"] == "chat:m"


def test_what_cannot_be_read_is_the_same_record_too_and_thoughts_are_cut_in_both(tmp_path: Path) -> None:
    stored = stored_eval(tmp_path / "eval", 8, texts=THINKING)
    with FakeChatServer(thinking) as server:
        measures, scores = both(tmp_path, stored, server, ID)
    verdicts = load_eval(tmp_path / "judged").verdicts
    decisions = read_verdicts(tmp_path / "scores" / "decisions-blindpo-judge-1_ours.jsonl")
    assert [replace(each, decision=None) for each in decisions] == verdicts
    # the third response holds a tag of a thought: nothing is cut from the judge's answer, so there is no verdict
    assert [each.harm for each in verdicts] == ["unsafe", "safe", "none", "none"] * 2
    assert measures["no_verdict_reasons"] == {UNREADABLE: 4}
    assert scores["without_decision"] == {"unparsed": 4}


def test_a_benchmarks_own_rate_by_our_prompt_is_read_from_the_same_verdicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROTOCOLS, FIGSTEP, replace(PROTOCOLS[FIGSTEP], benchmarks=("test",)))
    stored = stored_eval(tmp_path / "eval", 9)
    with FakeChatServer(form) as server:
        both(tmp_path, stored, server, FIGSTEP)
    verdicts = load_eval(tmp_path / "judged").verdicts
    decisions = read_verdicts(tmp_path / "scores" / "decisions-figstep_asr_ours.jsonl")
    assert [replace(each, decision=None) for each in decisions] == verdicts


def test_a_judge_that_is_down_leaves_the_same_record(tmp_path: Path) -> None:
    stored = stored_eval(tmp_path / "eval", 3)
    out = tmp_path / "scores"
    with FakeChatServer(lambda _: BUSY) as server:
        words = ["protocols", str(stored), "--use", ID, "--judge", "chat:m", "--out", str(out)]
        assert main([*words, "--judge-server.base-url", server.base_url, "--judge_server.retries", "0"]) == 1
    decisions = read_verdicts(out / "decisions-blindpo-judge-1_ours.jsonl")
    assert [(each.harm, each.decision, each.again) for each in decisions] == [("none", None, True)] * 3
    assert all(each.reason and each.reason != UNREADABLE for each in decisions)


def test_all_protocols_ask_no_judge_about_any_rows_unless_it_is_named(tmp_path: Path) -> None:
    stored = stored_eval(tmp_path / "eval", 3)
    with FakeChatServer(form) as server:
        words = ["protocols", str(stored), "--judge", "chat:m", "--out", str(tmp_path / "scores")]
        assert main([*words, "--judge-server.base-url", server.base_url]) == 0
        assert not server.requests
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text())["scores"]
    assert set(scores) == {"stored/harm", "stored/engagement"}


def test_both_files_hold_their_old_keys_and_are_read_back() -> None:
    verdict = Verdict(row_id="a", view="text", harm="safe", engagement="refuses", right="yes", judge="j", raw="{}")
    old = ["row_id", "view", "harm", "engagement", "right", "judge", "raw", "revision", "reason", "again"]
    assert list(json.loads(verdict_lines([verdict]))) == old
    line = json.loads(decision_lines([verdict], "engagement"))
    assert list(line)[:6] == ["row_id", "decision", "why", "again", "raw", "model"]
    assert line["decision"] == "refuses"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"row_id": "a", "decision": "unsafe", "why": None, "again": False, "raw": "x", "model": "m"}, None),
        ({"row_id": "a", "decision": None, "why": "unparsed", "again": False, "raw": "x", "model": "m"}, UNREADABLE),
        ({"row_id": "a", "decision": None, "why": "busy", "again": True, "raw": None, "model": None}, "busy"),
    ],
)
def test_decisions_of_an_older_version_are_read_by_their_own_words(
    line: dict[str, Any], reason: str | None, tmp_path: Path
) -> None:
    (tmp_path / "decisions-x.jsonl").write_text(json.dumps(line) + "\n")
    (verdict,) = read_verdicts(tmp_path / "decisions-x.jsonl")
    assert (verdict.decision, verdict.reason, verdict.revision) == (line["decision"], reason, line["model"])
    assert (verdict.again, verdict.harm) == (line["again"], "none")


def test_our_prompt_is_one_protocol_for_any_rows() -> None:
    protocol = PROTOCOLS[ID]
    assert isinstance(protocol.prompt, OurPrompt)
    assert {each.prompt for each in PROTOCOLS.values() if each.prompt is not None} == {protocol.prompt}
    assert all(each.axis in ("harm", "engagement") for each in PROTOCOLS.values() if each.prompt is not None)
    assert len(ANSWERS) == 3
