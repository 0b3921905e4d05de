"""Scores under protocols and task results on the page: never a number without its protocol."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.reporting.folders import save_three

from blindpo.cli.main import main
from blindpo.errors import ConfigError, SourceError
from blindpo.reporting.compare import detail
from blindpo.reporting.extras import parse_tasks, rate_words, score_tables, task_table


def save_scores(folder: Path, model: str, rates: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    other = {"rate": "usr", "model": "LLaVA", "value": 0.44, "source": "a paper", "note": "protocol differs"}
    score = {"hash": "ab" * 32, "rates": rates, "printed_elsewhere": [other]}
    (folder / "scores.json").write_text(json.dumps({"model": {"name": model}, "scores": {"x/y": score}}))
    return folder


RATE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}


def test_rates_of_models_stand_side_by_side_under_their_protocol(tmp_path: Path) -> None:
    folders = [save_scores(tmp_path / name / "rows", name, {"usr": RATE}) for name in ("base", "bpo")]
    models, rows = score_tables(folders)["rows"]
    assert (models, rows[0].protocol, rows[0].hash, rows[0].rate) == (["base", "bpo"], "x/y", "ab" * 6, "usr")
    assert rows[0].by_model == dict.fromkeys(models, "50.0 % (40.0 to 60.0), n 9")
    assert rows[0].printed == ("44.0 % printed for LLaVA, a paper; protocol differs",)


def test_a_rate_that_is_none_says_so() -> None:
    assert rate_words({"value": None, "n": 0, "no_data": True}) == "no data"
    assert (
        rate_words({"value": None, "no_rate": "x", "at_least": 0.1, "at_most": 1.0})
        == "no rate (10.0 to 100.0 at the bounds)"
    )


def test_task_results_are_read_as_the_tools_write_them(tmp_path: Path) -> None:
    content = {
        "results": {"mmmu_val": {"alias": "mmmu_val", "mmmu_acc,none": 0.25, "mmmu_acc_stderr,none": 0.01, "n": True}}
    }
    (tmp_path / "base.json").write_text(json.dumps(content))
    assert task_table(parse_tasks([f"base={tmp_path / 'base.json'}"])) == [
        ("mmmu_val", "mmmu_acc,none", {"base": "0.2500 ± 0.0100"})
    ]
    (tmp_path / "base.json").write_text("[]")
    with pytest.raises(SourceError, match="'results' by task"):
        task_table({"base": tmp_path / "base.json"})
    for words in (["base"], ["a=b", "a=c"]):
        with pytest.raises(ConfigError, match="--tasks"):
            parse_tasks(words)


def test_the_page_shows_both(tmp_path: Path) -> None:
    scores = save_scores(tmp_path / "scores", "bpo", {"usr": RATE})
    (tmp_path / "t.json").write_text(json.dumps({"results": {"gsm8k": {"exact_match,strict": 0.5}}}))
    words = [*map(str, save_three(tmp_path)), str(scores), "--tasks", f"bpo={tmp_path / 't.json'}"]
    assert main(["report", *words, "--out", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    assert "Under protocols" in text and "protocol differs" in text and "gsm8k" in text


def test_log_probabilities_are_no_shares() -> None:
    assert detail("chosen_logp", {"value": -1.5, "low": -2.0, "high": -1.0, "n": 4})[:3] == (
        "-1.500",
        "-2.000 to -1.000",
        "n 4",
    )
    assert detail("off_topic", {"value": 0.5, "low": 0.4, "high": 0.6, "n": 4}).value == "50.0 %"
