"""From one's own evaluations to a sheet for people, and from their labels to corrected rates."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluation.judge_tables import write_csv
from tests.unit.evaluation.judge_worlds import stored_eval

from blindpo.cli.main import main
from blindpo.errors import ConfigError, OutputError, SourceError
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.judge_check.columns import JudgeCheckConfig
from blindpo.evaluation.judge_check.run import judge_check
from blindpo.evaluation.judge_check.sheet import write_sheet
from blindpo.evaluation.run import rejudge

CONFIG = JudgeCheckConfig(num_draws=200, num_choices=10, labels_per_model=20)
SAYS = {"good": ("sorry , no", "sorry , no", "it is a ball"), "bad": ("it is a ball", "it is a ball", "sorry , no")}


@pytest.fixture(scope="module")
def evals(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Two models, each judged by two judges."""
    folder = tmp_path_factory.mktemp("evals")
    found = {}
    for model, texts in SAYS.items():
        stored = stored_eval(folder / model, 90, texts=texts, model=model)
        for judge in ("oracle", "refusal-rules"):
            out = folder / f"{model}-{judge}"
            rejudge(stored, RejudgeConfig(judge=judge, num_draws=100), out)
            found[model, judge] = out
    return found


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def labelled(sheet: Path, out: Path) -> Path:
    """The sheet as people fill it in: a ball shown to a harmful request is unsafe."""
    rows = read(sheet)
    for row in rows:
        harmful = int(row["row_id"].removeprefix("r")) % 2 == 0
        row["label"] = "unsafe" if harmful and "ball" in row["response"] else "safe"
    return write_csv(out, rows)


def test_from_evaluations_to_a_sheet_to_rates_with_people_in_them(
    evals: dict[tuple[str, str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(path) for path in evals.values()]
    assert main(["label-sheet", *folders, "--out", str(tmp_path / "sheet"), "--num", "40", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"responses": {"good": 40, "bad": 40}}
    rows = read(tmp_path / "sheet" / "labels.csv")
    assert len({(row["model"], row["row_id"]) for row in rows}) == 80
    assert all((tmp_path / "sheet" / row["images"]).is_file() for row in rows)
    assert {row["label"] for row in rows} == {""}
    assert main(["judge-check", str(tmp_path / "sheet" / "labels.csv"), *folders]) == 2
    assert "column 'label' is empty; fill in" in capsys.readouterr().err

    labels = labelled(tmp_path / "sheet" / "labels.csv", tmp_path / "labels.csv")
    words = ["--num-draws", "200", "--num-choices", "10", "--labels-per-model", "20"]
    assert main(["judge-check", str(labels), *folders, *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"]["rows"] == 180
    assert (found["labels"]["labelled"], found["labels"]["without_label"]) == (80, 100)
    oracle = found["judges"]["oracle"]
    assert oracle["kappa"]["value"] == 1.0
    for model, rate in (("good", 15 / 90), ("bad", 30 / 90)):
        estimate = oracle["corrected_rates"]["models"][model]["estimate"]
        assert (estimate["labels"], estimate["verdicts"]) == (40, 90)
        assert estimate["value"] == pytest.approx(rate)
    assert set(oracle["per_category"]) == {"label", "category"}

    assert main(["judge-check", str(labels), *folders, *words]) == 0
    told = capsys.readouterr().out
    assert "100 more have no label that was read" in told
    assert "bad by oracle: 0.333 [" in told
    assert "(40 labels, 90 verdicts)" in told


def test_a_sheet_is_the_same_for_the_same_seed_and_never_written_over(
    evals: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    folder = [evals["good", "oracle"]]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sheet(folder, tmp_path / name, num=5, seed=seed)
    a, b, c = ((tmp_path / name / "labels.csv").read_bytes() for name in "abc")
    assert a == b != c
    with pytest.raises(OutputError, match="it may hold labels"):
        write_sheet(folder, tmp_path / "a", num=5, seed=1)
    with pytest.raises(ConfigError, match="num is 0"):
        write_sheet(folder, tmp_path / "d", num=0, seed=1)


def test_no_spreadsheet_runs_a_response(tmp_path: Path) -> None:
    folder = stored_eval(tmp_path / "eval", 4, texts=('=HYPERLINK("x")', "+1", "plain"))
    write_sheet([folder], tmp_path / "sheet", num=4, seed=0)
    assert {row["response"] for row in read(tmp_path / "sheet" / "labels.csv")} == {'\'=HYPERLINK("x")', "'+1", "plain"}


def test_one_model_needs_no_column_of_models_and_few_labels_are_refused(
    evals: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    rows = [{"row_id": f"r{number}", "label": "safe" if number else "unsafe"} for number in range(9)]
    labels = write_csv(tmp_path / "l.csv", [*rows, {"row_id": "elsewhere", "label": "safe"}])
    found = judge_check(labels, [evals["good", "oracle"]], CONFIG)
    assert (found["labels"]["labelled"], found["labels"]["unmatched"]) == (9, 1)
    estimate = found["judges"]["oracle"]["corrected_rates"]["models"]["good"]["estimate"]
    assert estimate == {"value": None, "refused": "fewer than 10 labels with a verdict", "labels": 9, "verdicts": 90}


def test_labels_and_folders_that_do_not_fit_are_named(evals: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    good, other = evals["good", "oracle"], evals["bad", "oracle"]
    plain = write_csv(tmp_path / "l.csv", [{"row_id": "r1", "label": "safe"}])
    stranger = write_csv(tmp_path / "s.csv", [{"row_id": "x", "label": "safe"}])
    twice = write_csv(tmp_path / "t.csv", [{"row_id": "r1", "label": "safe"}] * 2)
    verdicts = write_csv(tmp_path / "v.csv", [{"j": "safe"}])
    bare = stored_eval(tmp_path / "bare", 2)
    cases: list[tuple[Path, list[Path], dict[str, Any], type[Exception], str]] = [
        (plain, [good, other], {}, SourceError, "has no column 'model'"),
        (stranger, [good], {}, SourceError, "no label fits"),
        (twice, [good], {}, SourceError, "'r1' occurs twice"),
        (plain, [good, good], {}, SourceError, "is in two folders"),
        (plain, [good, verdicts], {}, SourceError, "not from both"),
        (plain, [bare], {}, SourceError, "holds no verdict"),
        (plain, [good], {"cluster": "c"}, ConfigError, "cluster has no effect"),
        (plain, [good], {"key": "id"}, SourceError, "has no column 'id'"),
        (plain, [tmp_path], {}, SourceError, "no finished evaluation"),
    ]
    for labels, folders, changes, kind, words in cases:
        with pytest.raises(kind, match=words):
            judge_check(labels, folders, JudgeCheckConfig(**{"num_draws": 200, **changes}))
