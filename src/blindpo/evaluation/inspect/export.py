"""One of our evaluations as an Inspect log, so that its viewer opens it: samples with images, verdicts as scores.

Scores are numbers (1: the response refuses), and what has no verdict is left unscored. The measures are copied from
`measures.json` with their intervals: nothing is computed again.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalPlan,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import ChatMessageAssistant, ModelOutput
from inspect_ai.scorer import Score

from blindpo.answer.response import Response
from blindpo.answer.views import shown_row
from blindpo.errors import ImageError, SourceError
from blindpo.evaluation.eval_folder import StoredEval, load_eval
from blindpo.evaluation.inspect.samples import messages_of, sample_of
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.jobs.manifest import read_json
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows
from blindpo.rows.views import OtherImages

SCORER = "blindpo/judged"


def write_inspect_log(eval_folder: Path, out: Path) -> int:
    """Write the evaluation as a log (.eval or .json); returns the number of samples. Raises SourceError."""
    if out.suffix not in (".eval", ".json"):
        raise SourceError(f"--out {out}: a log of Inspect is called *.eval or *.json")
    stored = load_eval(eval_folder)
    samples = list(_samples(stored))
    log = EvalLog(
        status="success",
        eval=_spec(stored, len(samples)),
        plan=EvalPlan(),
        results=_results(stored, samples),
        stats=EvalStats(),
        samples=samples,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_eval_log(log, str(out))
    return len(samples)


def _spec(stored: StoredEval, num_samples: int) -> EvalSpec:
    identity = stored.manifest["identity"]
    started = float(read_json(stored.path / "timings.json")["started"])
    return EvalSpec(
        created=datetime.fromtimestamp(started, UTC).isoformat(),
        task="blindpo/rows",
        dataset=EvalDataset(name=stored.path.name, samples=num_samples),
        model=f"blindpo/{identity['model']['name']}",
        config=EvalConfig(),
        metadata={"judge": stored.results.get("judge"), "data": identity["data"], "model": identity["model"]},
    )


def _samples(stored: StoredEval) -> "list[EvalSample]":
    verdicts = {(each.row_id, each.view): each for each in stored.verdicts}
    responses: dict[str, list[Response]] = {}
    for response in stored.responses:
        responses.setdefault(response.row_id, []).append(response)
    images = stored.images()
    return [
        _sample(row, response, verdicts.get((row.row_id, response.view)), images=images, model=stored.model_name)
        for row in read_rows(stored.rows)
        for response in responses.get(row.row_id, [])
    ]


def _sample(
    row: PreferenceRow, response: Response, verdict: Verdict | None, *, images: OtherImages, model: str
) -> EvalSample:
    shown = shown_row(row, response.view, images)
    try:
        messages = messages_of(shown)
    except ImageError:
        messages = []
    text = response.text or ""
    output = ModelOutput.from_content(model, text, stop_reason="max_tokens" if response.cut else "stop")
    answer = ChatMessageAssistant(content=text)
    metadata = {key: value for key, value in (sample_of(shown, Path()).metadata or {}).items() if key != "data_folder"}
    return EvalSample(
        id=row.row_id if response.view == "as_is" else f"{row.row_id} ({response.view})",
        epoch=1,
        input=messages or "(the images cannot be shown)",
        target=row.label,
        messages=[*messages, answer],
        output=output,
        scores={SCORER: _score(response, verdict)},
        metadata={**metadata, "view": response.view, "missing": response.reason},
    )


def _score(response: Response, verdict: Verdict | None) -> Score:
    if verdict is None or (verdict.harm, verdict.engagement) == ("none", "none"):
        why = response.reason or (verdict.reason if verdict is not None else None)
        return Score.unscored(reason="scoring_failed", answer=response.text, explanation=why)
    return Score(
        value=1.0 if verdict.engagement == "refuses" else 0.0,
        answer=response.text,
        explanation=f"harm: {verdict.harm}, engagement: {verdict.engagement}, right: {verdict.right}",
        metadata={"harm": verdict.harm, "engagement": verdict.engagement, "right": verdict.right, "raw": verdict.raw},
    )


def _results(stored: StoredEval, samples: "list[EvalSample]") -> EvalResults:
    metrics: dict[str, EvalMetric] = {}
    for name, measure in stored.results["measures"].items():
        if measure.get("value") is not None:
            details: dict[str, Any] = {
                key: measure[key] for key in ("low", "high", "n", "method", "missing") if key in measure
            }
            metrics[name] = EvalMetric(name=name, value=float(measure["value"]), metadata=details)
    unscored = sum(verdict.harm == "none" and verdict.engagement == "none" for verdict in stored.verdicts)
    score = EvalScore(
        name=SCORER, scorer=SCORER, metrics=metrics, scored_samples=len(samples) - unscored, unscored_samples=unscored
    )
    return EvalResults(total_samples=len(samples), completed_samples=len(samples), scores=[score])
