"""Inspect end to end with the tiny LLaVA, our runs as its logs, and the two traps that would give false numbers."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="the extra blindpo[inspect] is not part of the default environment")

from inspect_ai import eval as run_eval
from inspect_ai import score as score_again
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, get_model
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import drawn_image, evaluate_local, row, save_rows

from blindpo.cli.main import main
from blindpo.errors import ModelError, SourceError
from blindpo.evaluation.config import EvaluateConfig
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.inspect.export import write_inspect_log
from blindpo.evaluation.inspect.provider import image_of, turns_of
from blindpo.evaluation.inspect.samples import messages_of
from blindpo.evaluation.inspect.scorers import judged
from blindpo.evaluation.inspect.tasks import rows as rows_task
from blindpo.models.vlm.source import resolve_model

CONFIG = EvaluateConfig(judge="oracle", max_new_tokens=6, num_draws=100, likelihoods=False, views=("as_is",))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return save_rows(tmp_path / "data", [row(number) for number in range(6)])


def inspected(data: Path, model: Path, tmp_path: Path, **changes: Any) -> EvalLog:
    task = rows_task(str(data), judge="oracle", max_tokens=6)
    options: dict[str, Any] = {"log_dir": str(tmp_path / "logs"), "display": "none", **changes}
    return run_eval(task, model=f"blindpo/{model}", **options)[0]


def test_a_local_model_inside_inspect_says_and_scores_what_ours_does(data: Path, model: Path, tmp_path: Path) -> None:
    log = inspected(data, model, tmp_path)
    assert log.status == "success" and log.samples is not None and log.results is not None
    ours = evaluate_local(CONFIG, data, resolve_model(model), tmp_path / "eval")
    said = {response.row_id: response.text for response in load_eval(tmp_path / "eval").responses}
    assert {str(sample.id): sample.output.completion for sample in log.samples} == said
    metrics = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
    for name in ("safety_rate", "over_refusal", "pair_both_right", "helpfulness", "off_topic"):
        assert metrics[name] == pytest.approx(ours.measures[name]["value"])
        assert metrics[f"{name}_n"] == ours.measures[name]["n"]


def test_scores_are_numbers_and_without_a_verdict_there_is_none(data: Path, model: Path, tmp_path: Path) -> None:
    """The first trap: words such as 'safe' are reduced to 0.0. What has no verdict is unscored, never 0."""
    log = inspected(data, model, tmp_path)
    again = score_again(log, [judged("none")], action="overwrite", display="none")
    assert log.samples is not None and again.samples is not None and again.results is not None
    assert all(isinstance(each.value, float) for sample in log.samples for each in (sample.scores or {}).values())
    found = again.results.scores[0]
    assert (found.scored_samples, found.unscored_samples) == (0, 6)
    assert "safety_rate" not in found.metrics


def test_one_metric_gives_one_flat_dict(data: Path, model: Path, tmp_path: Path) -> None:
    """The second trap: a metric that returns a dict inside grouped() ends the run; ours stands alone and is flat."""
    log = inspected(data, model, tmp_path)
    assert log.results is not None and len(log.results.scores) == 1
    assert all(isinstance(metric.value, int | float) for metric in log.results.scores[0].metrics.values())


def test_a_second_judge_needs_no_model(data: Path, model: Path, tmp_path: Path) -> None:
    log = inspected(data, model, tmp_path)
    again = score_again(log, [judged("refusal-rules")], action="append", display="none")
    assert again.results is not None
    judges = {
        (each.metadata or {})["judge"] for sample in again.samples or [] for each in (sample.scores or {}).values()
    }
    assert judges == {"oracle", "refusal-rules"}


def test_one_of_our_runs_is_a_log_that_inspect_reads(data: Path, model: Path, tmp_path: Path) -> None:
    views = replace(CONFIG, views=("as_is", "text", "blank"))
    found = evaluate_local(views, data, resolve_model(model), tmp_path / "eval")
    assert main(["inspect-log", str(tmp_path / "eval"), "--out", str(tmp_path / "log.eval")]) == 0
    log = read_eval_log(str(tmp_path / "log.eval"))
    assert log.samples is not None and log.results is not None and len(log.samples) == 18
    metrics = log.results.scores[0].metrics
    assert metrics["safety_rate"].value == found.measures["safety_rate"]["value"]
    assert metrics["safety_rate"].metadata == {
        key: found.measures["safety_rate"][key] for key in ("low", "high", "n", "method")
    }
    first = log.samples[0]
    assert isinstance(first.input, list) and isinstance(first.input[0].content, list)
    assert {type(part) for part in first.input[0].content} == {ContentImage, ContentText}
    with pytest.raises(SourceError, match="called"):
        write_inspect_log(tmp_path / "eval", tmp_path / "log.txt")


def test_the_entry_point_registers_the_provider(model: Path) -> None:
    found = get_model(f"blindpo/{model}", batch_size=2)
    content = [ContentImage(image=messages_of(row(0))[0].content[0].image), ContentText(text="what is this ?")]
    answered = asyncio.run(found.generate([ChatMessageUser(content=content)]))
    assert isinstance(answered.completion, str) and answered.stop_reason in ("stop", "max_tokens")


def test_messages_come_back_as_the_rows_they_were() -> None:
    turns, images = turns_of(messages_of(row(3)))
    assert (turns, [image.sha256 for image in images]) == (row(3).prompt, [drawn_image(3).sha256])
    with pytest.raises(ModelError, match="log_images=false"):
        image_of("<base64-data-removed>")
    with pytest.raises(ModelError, match="no base64"):
        image_of("data:image/png;base64,?")
