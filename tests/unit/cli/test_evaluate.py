"""`blindpo evaluate`: the words are checked first, then the paths, and nothing is loaded before."""

import json
from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import row, save_rows

from blindpo.cli.main import main
from blindpo.cli.measures_table import measures_table


def test_json_stands_alone_on_standard_output_and_a_person_reads_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model = save_rows(tmp_path / "data", [row(0), row(1)]), save_tiny_llava(tmp_path / "model")
    words = ["evaluate", str(data), "--model", str(model), "--judge", "oracle", "--set", "max_new_tokens=4"]
    capsys.readouterr()
    assert main([*words, "--out", str(tmp_path / "eval"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["judge"] == "oracle"
    again = ["rejudge", str(tmp_path / "eval"), "--judge", "refusal-rules", "--out", str(tmp_path / "2")]
    assert main(again) == 0
    printed = capsys.readouterr().out
    assert "helpfulness               no data, 1 without a verdict" in printed
    assert "cut at max_new_tokens" in printed


def test_missing_responses_and_a_finished_run_are_said() -> None:
    counts = {"total": 2, "cut": 0, "missing": {"blank response": 2}}
    results = {"judge": "oracle", "rows": 2, "measures": {}, "by_label": {}, "responses": {"as_is": counts}}
    text = measures_table(results, Path("eval"), finished_before=True)
    assert "2 rows have no response to their view as_is: blank response" in text
    assert "holds this finished run already" in text


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nowhere", "--model", "none", "--judge", "gpt"], "gpt"),
        (["nowhere", "--model", "none"], "judge"),
        (["nowhere", "--judge", "oracle"], "--model"),
        (["nowhere", "--model", "none", "--judge", "oracle", "--set", "colour=1"], "colour"),
        (["nowhere", "--model", "none", "--judge", "oracle"], "nowhere"),
    ],
)
def test_what_is_wrong_is_named_with_status_2(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words, "--out", str(tmp_path / "out")]) == 2
    message = capsys.readouterr().err
    assert named in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()
