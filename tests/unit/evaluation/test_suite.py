"""The guard set, and a whole comparison in one folder that the report reads."""

import json
from pathlib import Path

import pytest
from tests.fakes import BROKEN, FakeChatServer
from tests.sample import write_sample
from tests.tiny_models import save_tiny_llava
from tests.unit.datasets.benchmarks.downloads import siuo

from blindpo.cli.main import main
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.oracle import Oracle
from blindpo.evaluation.suite.capability_set import QUESTION_KINDS, SHAPE_COLOURS, capability_rows, write_capability_set
from blindpo.evaluation.suite.config import SuiteConfig, parse_models
from blindpo.images.decode import decode_image
from blindpo.rows.checks import violations
from blindpo.rows.shards import read_rows


def test_the_guard_set_is_seeded_valid_and_true() -> None:
    rows = list(capability_rows(50, 1))
    assert rows == list(capability_rows(50, 1)) != list(capability_rows(50, 2))
    assert [row.categories[0] for row in rows[:5]] == list(QUESTION_KINDS)
    for row in rows:
        assert not violations(row, pair=True) and row.label == "harmless"
        judged = [Oracle().verdict(row, "as_is", text or "").right for text in (row.chosen, row.rejected)]
        assert judged == ["yes", "no"]
        if row.categories == ("colour",):
            seen = {colour for _, colour in decode_image(row.images[0].data).getcolors()}
            assert seen == {(255, 255, 255), SHAPE_COLOURS[(row.chosen or "").rstrip(".").split()[-1]]}


def test_the_guard_set_is_written_once(tmp_path: Path) -> None:
    assert write_capability_set(7, 3, tmp_path / "guard") == 7 == write_capability_set(7, 3, tmp_path / "guard")
    assert len(list(read_rows(tmp_path / "guard"))) == 7


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    sample = write_sample(tmp_path / "sample")
    assert main(["import", "mmsafe-po", str(sample / "test.json"), "--images", str(sample / "images"), "--out",
                 str(tmp_path / "rows")]) == 0  # fmt: skip
    siuo(tmp_path / "siuo")
    path = tmp_path / "suite.yaml"
    path.write_text(
        f"data:\n  mmsafe: {tmp_path / 'rows'}\n  siuo: {{benchmark: siuo, dir: {tmp_path / 'siuo'}}}\n"
        "judge: refusal-rules\nguard_rows: 5\npairwise: [mmsafe]\n"
        "max_new_tokens: 3\nnum_draws: 100\nviews: [as_is, text, deictic, safe_image]\n"
    )
    return path


def test_a_suite_is_one_folder_that_resumes_and_that_the_report_reads(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [f"{name}={save_tiny_llava(tmp_path / name, seed=seed)}" for seed, name in enumerate(("base", "bpo"))]
    out = tmp_path / "suite"
    words = ["suite", "--recipe", str(recipe), "--models", *models, "--out", str(out)]
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    names = ["mmsafe", "siuo", "guard_set"]
    assert found["evaluations"] == [f"{model}/{name}" for model in ("base", "bpo") for name in names]
    assert found["models"]["bpo"]["guard_set"]["pairwise_accuracy"]["n"] == 5
    scores = json.loads((out / "scores/bpo/mmsafe/scores.json").read_text())["scores"]
    assert {"mmsafe/pairwise-likelihood", "mmsafe/cheating", "stored/engagement"} <= set(scores)
    assert (
        "mmsafe/pairwise-prompted" in json.loads((out / "scores/bpo/mmsafe_pairwise/scores.json").read_text())["scores"]
    )
    first = {path: path.stat().st_mtime_ns for path in out.rglob("responses.jsonl")}
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("responses.jsonl")} == first
    assert "  bpo         safety_rate" in capsys.readouterr().out
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "Across all rows: the frontier" in page and "mmsafe/pairwise-prompted" in page
    assert "<h2>mmsafe</h2>" in page and "<h2>guard_set</h2>" in page
    assert all(f'<th scope="row">{name}</th>' in page for name in ("base", "bpo"))


def test_a_judge_that_is_down_leaves_the_suite_unfinished_and_the_rest_readable(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    text = recipe.read_text().replace("judge: refusal-rules", "judge: chat:m").replace("pairwise: [mmsafe]", "")
    with FakeChatServer(lambda _: BROKEN) as server:
        recipe.write_text(f"{text}judge_server: {{base_url: {server.base_url}, retries: 0}}\n")
        model = save_tiny_llava(tmp_path / "model")
        words = ["suite", "--recipe", str(recipe), "--models", f"m={model}", "--out", str(tmp_path / "suite")]
        assert main(words) == 1
    assert "NOT FINISHED: m/mmsafe" in capsys.readouterr().out
    found = json.loads((tmp_path / "suite/suite.json").read_text())
    assert (found["evaluations"], found["unfinished"]) == (["m/guard_set"], ["m/mmsafe", "m/siuo"])
    assert main(["report", str(tmp_path / "suite"), "--out", str(tmp_path / "page.html")]) == 0


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("data: {}", "names no set"),
        ("data: {a/b: x}", "plain name"),
        ("data: {a: {benchmark: siuo}}", "needs benchmark and dir"),
        ("data: {a: {benchmark: siuo, folder: x}}", "unknown key 'folder'"),
        ("data: {a: x}\npairwise: [b]", "'b' is none of the sets"),
        ("data: {a: x}\nguard_rows: -1", "guard_rows"),
        ("data: {a: x}\ncolour: 1", "colour"),
        ("data: {a: x}\nevaluate: {num_draws: 100}", "keys of the suite itself"),
        ("data: {a: x}\njudge_batch_size: 2", "judge_batch_size has no effect"),
        ("data: {a: nowhere}", "nowhere"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_named(
    line: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "suite.yaml").write_text(f"judge: refusal-rules\n{line}\n")
    model = save_tiny_llava(tmp_path / "model")
    words = [
        "suite",
        "--recipe",
        str(tmp_path / "suite.yaml"),
        "--models",
        f"m={model}",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 2
    assert word in capsys.readouterr().err


def test_models_are_named() -> None:
    assert parse_models(["a=x", "b=chat:y"]) == {"a": "x", "b": "chat:y"}
    for words in (["a"], ["=x"], ["a=x", "a=y"], ["data=x"]):
        with pytest.raises(ConfigError, match="--models"):
            parse_models(words)
    assert SuiteConfig(data={"a": "b"}, judge="none").evaluation().judge == "none"
