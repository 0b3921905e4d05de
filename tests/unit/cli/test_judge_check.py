"""`blindpo judge-check`: words to settings, a table for people, JSON alone on standard output, plain errors."""

import json
from pathlib import Path

import pytest
from tests.unit.evaluation.judge_tables import invented

from blindpo.cli.main import main

WORDS = ["--safe", "1", "--unsafe", "2", "--key", "id", "--num-draws", "200", "--num-choices", "20"]
MORE = ["--model-column", "model", "--cluster", "case", "--annotators", "first,second", "--categories", "kind",
        "--response", "answer", "--with-rules", "--labels-per-model", "40"]  # fmt: skip


def test_the_table_names_every_judge_and_how_far_it_can_be_trusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, verdicts = invented(tmp_path)
    assert main(["judge-check", str(labels), str(verdicts), *WORDS, *MORE]) == 0
    out = capsys.readouterr().out
    assert "360 answers with a human label" in out
    assert "people among themselves: kappa 0." in out
    assert "coin: agrees with people no better than chance" in out
    assert "refused (r: 3)" in out
    for name in ("good", "coin", "mute", "refusal-rules"):
        assert f"\n{name}" in out


def test_details_have_a_line_for_every_model_and_category(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, verdicts = invented(tmp_path)
    assert main(["judge-check", str(labels), str(verdicts), *WORDS, *MORE, "--details"]) == 0
    told = capsys.readouterr().out
    assert "good, by model" in told and "mute, by kind" in told
    lines = told.split("good, by model")[1].splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["careful", "plain", "rash"]
    assert lines[2].split()[1] == "120"


def test_without_models_there_are_no_corrections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, verdicts = invented(tmp_path)
    assert main(["judge-check", str(labels), str(verdicts), *WORDS]) == 0
    assert "tau of models" not in capsys.readouterr().out


def test_json_holds_the_columns_names_to_the_letter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, verdicts = invented(tmp_path)
    assert main(["judge-check", str(labels), str(verdicts), *WORDS, *MORE, "--judges", "good", "--json"]) == 0
    good = json.loads(capsys.readouterr().out)["judges"]["good"]
    for key in ("kappa", "precision", "recall", "flag_rate"):
        assert set(good[key]) == {"value", "low", "high"}
    assert set(good["corrected_rates"]["models"]["rash"]) >= {
        "raw",
        "rogan_gladen",
        "prediction_powered",
        "labels_alone",
    }


def test_a_missing_column_is_the_users_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, verdicts = invented(tmp_path)
    assert main(["judge-check", str(labels), str(verdicts), "--preset", "msts"]) == 2
    assert "no column 'final_label'" in capsys.readouterr().err
