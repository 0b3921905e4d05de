"""The demo's story end to end, tiny: the same stages, the shape of results.json, and values that can be recomputed."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blindpo.demo import run
from blindpo.demo.pretrain import PretrainConfig
from blindpo.demo.results import STORY_MEASURES
from blindpo.demo.run import tell
from blindpo.demo.schedule import Task
from blindpo.demo.search import collect_search, grid
from blindpo.demo.settings import BASE, VARIANTS, DemoConfig, searched_variants
from blindpo.errors import OutputError
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.run import rejudge
from blindpo.jobs.manifest import read_json

CONDITION = "benign_twins"
TINY = DemoConfig(
    seeds=(5,),
    num_pairs=8,
    num_evaluation_pairs=3,
    steps=2,
    batch_size=4,
    num_workers=2,
    pretrain=PretrainConfig(num_images=40, vision_steps=4, vision_batch=8, language_steps=60, language_batch=16),
    variants={CONDITION: VARIANTS},
)

MODELS = (BASE, *(variant.name for variant in VARIANTS))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return (out, *tell(TINY, out))


def test_results_have_the_shape_that_is_promised(told: tuple[Path, dict[str, Any], str]) -> None:
    _, results, text = told
    assert results["seeds"] == [5]
    found = results["conditions"][CONDITION]
    assert set(found["models"]) == set(MODELS)
    for measures in found["models"].values():
        assert set(measures) == set(STORY_MEASURES)
        for measure in measures.values():
            assert measure["low"] <= measure["value"] <= measure["high"]
            assert measure["per_seed"] == [measure["value"]]
            assert measure["n"] >= 3
    assert {tuple(sorted(row)) for row in found["comparisons"]} == {("a", "b", "difference", "high", "low", "measure")}
    assert all(model in text for model in MODELS)
    assert "s in all" in text


def test_everything_lies_where_real_use_would_put_it(told: tuple[Path, dict[str, Any], str]) -> None:
    out, results, _ = told
    assert json.loads((out / "results.json").read_text()) == results
    page = (out / "report.html").read_text()
    assert all(text in page for text in ("<html", "the frontier", "Pairs: one text", "Co-defense:"))
    seed = out / "seed_5"
    assert (seed / "base" / "model.safetensors").is_file()
    for model in MODELS:
        assert (seed / CONDITION / f"eval_{model}" / "responses.jsonl").is_file()
    assert not (out / ".work").exists()


def test_every_value_can_be_recomputed_from_stored_responses(
    told: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    out, results, _ = told
    for model in MODELS:
        again = rejudge(out / "seed_5" / CONDITION / f"eval_{model}", RejudgeConfig(judge="oracle"), tmp_path / model)
        reported: Mapping[str, Any] = results["conditions"][CONDITION]["models"][model]
        assert {name: again.measures[name]["value"] for name in STORY_MEASURES} == {
            name: reported[name]["value"] for name in STORY_MEASURES
        }


def test_a_finished_story_is_told_from_disk_and_another_one_refused(told: tuple[Path, dict[str, Any], str]) -> None:
    out, results, _ = told
    before = (out / "results.json").stat().st_mtime_ns
    assert tell(TINY, out)[0] == results
    assert (out / "results.json").stat().st_mtime_ns == before
    with pytest.raises(OutputError):
        tell(replace(TINY, steps=3), out)


def test_a_story_for_more_seeds_goes_on_in_the_same_folder(
    told: tuple[Path, dict[str, Any], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "story"
    shutil.copytree(told[0], out)
    asked: list[str] = []

    def only_note(tasks: Sequence[Task], **_: object) -> dict[str, dict[str, float]]:
        asked.extend(task.name for task in tasks)
        return {}

    monkeypatch.setattr(run, "run_tasks", only_note)
    monkeypatch.setattr(run.results, "collect", lambda config, _: {**told[1], "seeds": list(config.seeds)})
    monkeypatch.setattr(run, "write_report", lambda *_, **__: None)
    weights = (out / "seed_5" / "base" / "model.safetensors").read_bytes()
    assert tell(replace(TINY, seeds=(5, 6)), out)[0]["seeds"] == [5, 6]
    assert {"base 5", "base 6"} <= set(asked)
    assert (out / "seed_5" / "base" / "model.safetensors").read_bytes() == weights
    assert read_json(out / "manifest.json")["seeds"] == [5, 6]
    asked.clear()
    tell(replace(TINY, seeds=(5, 6)), out)
    assert not asked, "finished: told from disk"


def test_the_search_gives_every_method_the_same_grid(told: tuple[Path, dict[str, Any], str]) -> None:
    grids = [[(trial.learning_rate, trial.beta) for trial in grid(variant)] for variant in VARIANTS]
    assert all(each == grids[0] for each in grids)
    assert len(set(grids[0])) == len(grids[0]) > 1


def test_the_search_chooses_the_best_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    def table(mean: float) -> Any:
        return type("Table", (), {"mean": mean})()

    def tables(_out: Path, _seeds: object, _condition: str, models: list[str]) -> dict[str, Any]:
        best = {"safety_rate": [table(0.9)], "helpfulness": [table(0.7)], "over_refusal": [table(0.2)]}
        other = {"safety_rate": [table(1.0)], "helpfulness": [table(0.1)], "over_refusal": [table(0.9)]}
        return {model: best if model.endswith("lr0.0001_beta0.5") else other for model in models}

    monkeypatch.setattr("blindpo.demo.search.load_tables", tables)
    trials = tuple(trial for variant in VARIANTS for trial in grid(variant))
    found = collect_search(DemoConfig(seeds=(101,), variants={CONDITION: trials}), Path("unused"))
    assert set(found["chosen"][CONDITION]) == set(MODELS) - {"base"}
    assert all(value == {"learning_rate": 1e-4, "beta": 0.5} for value in found["chosen"][CONDITION].values())


def test_the_committed_search_covers_every_condition_and_method() -> None:
    assert {len(variants) for variants in searched_variants().values()} == {len(VARIANTS)}
