"""`blindpo evaluate`: responses made once and stored, judged, measured; and judged again without a model.

Words and rows are checked before a model is loaded. `blindpo rejudge` reads an EVAL folder and writes another one, with
the same rows and responses and the verdicts of another judge.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from blindpo.answer.answerer import Answerer
from blindpo.answer.response import RESPONSES, read_responses
from blindpo.answer.shards import ResponseJob, joined_text
from blindpo.answer.views import SAFE_IMAGES, read_safe_images
from blindpo.errors import NothingKeptError, SourceError
from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluation.eval_folder import (
    IMAGES_VERSION,
    MEASURES_FILE,
    ROWS,
    images_version,
    keep_safe_images,
    link_rows,
    load_eval,
    stored_images,
)
from blindpo.evaluation.judges.judge import Cases, judge_responses
from blindpo.evaluation.judges.table import Judge, find_judge
from blindpo.evaluation.judges.verdict import VERDICTS, verdict_lines
from blindpo.evaluation.measures import judged_measures, row_meta
from blindpo.jobs.engine import IN_PROCESS, Engine
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.jobs.shards import WHOLE, ShardFolder, ShardPart, join_parts, make_shards
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.overlap import num_trained_on, read_keys
from blindpo.rows.row import PreferenceRow
from blindpo.rows.schema import SCHEMA_VERSION
from blindpo.rows.shards import RowBlocks, count_rows, data_hash, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSummary:
    """What an evaluation found."""

    out: Path
    results: dict[str, Any]
    """The content of measures.json."""
    finished_before: bool
    """True where the folder already held this very run, and nothing was done."""

    @property
    def complete(self) -> bool:
        """Whether the judge could be asked about every response; where not, there are bounds and no rate."""
        return not self.results.get("not_asked")

    @property
    def measures(self) -> dict[str, dict[str, Any]]:
        """Value, interval and n of each measure."""
        measures: dict[str, dict[str, Any]] = self.results["measures"]
        return measures


def evaluate(
    config: EvaluateConfig,
    data: Path,
    answerer: Answerer,
    out: Path,
    *,
    name: str | None = None,
    part: ShardPart = WHOLE,
    engine: Engine = IN_PROCESS,
) -> EvalSummary:
    """Evaluate the responses of `answerer` to the rows of `data` into the folder `out`; resumes what a kill left.

    `name` is what reports call it; `part` makes a share of the responses and judges nothing (see `merge_parts`);
    `engine` has several processes or Ray actors make the shards, each with a local model loaded anew. Everything that
    changes an answer is in the folder's identity. Raises UsageError, UnansweredError where a server did not answer
    everything, and NothingKeptError where there is no response at all.
    """
    judge = find_judge(config.judge, config)
    _require_rows(judge, read_rows(data))
    safe_images = None if config.safe_images is None else Path(config.safe_images)
    settings = config.identity()
    if safe_images is not None:
        settings["safe_images"] = [image.sha256 for image in read_safe_images(safe_images)]
    rows_hash = data_hash(data)
    model: dict[str, Any] = {"name": name or answerer.name, "fingerprint": answerer.fingerprint}
    if shared := _num_training_rows(answerer.source, data, rows_hash):
        model["training_rows"] = shared
    judged = dict(judge.identity)
    identity = {"command": "evaluate", "config": settings, "judge": judged, "data": rows_hash, "model": model}
    folder = ShardFolder(out, identity, part)
    if folder.begin() == "done":
        return _finished(out, part)
    rows = RowBlocks(data.resolve(), config.shard_rows)
    views = [view for view in config.views if view in answerer.views or view == "as_is"]
    job = ResponseJob(rows=rows, folder=folder.shards, answerer=answerer, views=views, safe_images=safe_images)
    num_shards = len(rows)
    make_shards(job, num_shards, what="evaluate", engine=engine, part=part, go_on=True)
    link_rows(data, out / ROWS)
    keep_safe_images(config.safe_images, out)
    if part != WHOLE:
        folder.finish_part(num_shards)
        return _finished(out, part)
    write_text(out / RESPONSES, joined_text((number, job.folder) for number in range(num_shards)))
    return _judge_and_finish(folder, judge, config)


def merge_parts(parts: Sequence[Path], config: RejudgeConfig, out: Path) -> EvalSummary:
    """Join the parts of one evaluation that several machines made, and judge the whole, into `out`.

    The responses, verdicts and measures are those of one machine, byte for byte. Raises SourceError where a part is
    missing, unfinished or of another evaluation.
    """
    joined = join_parts(parts, "evaluate")
    return _judge_stored("evaluate --merge", joined.folders[0], config, out, responses=joined_text(joined.shards()))


def rejudge(eval_folder: Path, config: RejudgeConfig, out: Path) -> EvalSummary:
    """Judge the stored responses of `eval_folder` again, into the folder `out`. Raises UsageError."""
    responses = (load_eval(eval_folder).path / RESPONSES).read_bytes().decode()
    return _judge_stored("evaluate --rejudge", eval_folder, config, out, responses=responses)


def _judge_stored(command: str, stored: Path, config: RejudgeConfig, out: Path, *, responses: str) -> EvalSummary:
    """Judge `responses`, which were made for the rows in the folder `stored`, into `out`."""
    judge = find_judge(config.judge, config)
    _require_rows(judge, read_rows(stored / ROWS))
    manifest = read_json(stored / "manifest.json")
    identity = {
        "command": command,
        "config": config.identity(),
        "judge": dict(judge.identity),
        "data": manifest["identity"]["data"],
        "model": manifest["identity"]["model"],
        "responses": sha256(responses.encode()).hexdigest(),
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return _finished(out)
    link_rows(stored / ROWS, out / ROWS)
    keep_safe_images(stored / SAFE_IMAGES if (stored / SAFE_IMAGES).is_dir() else None, out)
    write_text(out / RESPONSES, responses)
    return _judge_and_finish(folder, judge, config, version=images_version(manifest))


def _finished(out: Path, part: ShardPart = WHOLE) -> EvalSummary:
    if part != WHOLE:
        return EvalSummary(out=out, results={"part": list(part), "measures": {}}, finished_before=True)
    return EvalSummary(out=out, results=read_json(out / MEASURES_FILE), finished_before=True)


def _num_training_rows(model: ModelSource | None, data: Path, rows_hash: str) -> int:
    """How many rows of `data` the model was trained on, as far as its RUN folder (and that under it) tells."""
    runs = [source.path for source in (model, model and model.base) if source is not None and source.path is not None]
    keys = {key for run in runs for key in read_keys(run)}
    if keys:
        return num_trained_on(read_rows(data), keys)
    manifests = [read_json(run / "manifest.json") for run in runs if (run / "run.json").is_file()
                 and (run / "manifest.json").is_file()]  # fmt: skip
    return count_rows(data) if any(each["identity"].get("data") == rows_hash for each in manifests) else 0


def _require_rows(judge: Judge, rows: Iterable[PreferenceRow]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.row_id in seen:
            raise SourceError(f"row {row.row_id} occurs twice in the data; verdicts go by row_id: make them differ")
        seen.add(row.row_id)
        judge.require(row)
    if not seen:
        raise SourceError("the data folder holds no row; there is nothing to evaluate")


def _judge_and_finish(
    folder: OutFolder, judge: Judge, config: RejudgeConfig, *, version: int = SCHEMA_VERSION
) -> EvalSummary:
    """`version` made the responses, and chose the images that were shown in place of the rows' own."""
    out = folder.path
    responses = read_responses(out / RESPONSES)
    if not any(response.text for response in responses):
        reasons = Counter(response.reason for response in responses)
        raise NothingKeptError(
            f"the model gave no response to any of the rows; the reason: {reasons.most_common(1)[0][0]}"
        )
    cases = Cases(out / ROWS, responses, stored_images(out, responses, version=version))
    verdicts = judge_responses(judge, cases, folder.work)
    metas = [row_meta(row) for row in read_rows(out / ROWS)]
    results = judged_measures(
        judge, metas, responses, verdicts, num_draws=config.num_draws, interval_seed=config.interval_seed
    )
    if shared := folder.identity["model"].get("training_rows"):
        results["training_rows"] = shared
    summary = EvalSummary(out=out, results=results, finished_before=False)
    if not summary.complete and not config.judge_allow_missing:
        return summary  # not finished: the same command asks only for what is missing
    write_text(out / VERDICTS, verdict_lines(verdicts))
    write_json(out / MEASURES_FILE, results)
    older = {IMAGES_VERSION: version} if version != SCHEMA_VERSION else {}
    folder.finish({"rows": results["rows"], "responses": results["responses"], "judge": dict(judge.identity), **older})
    return summary
