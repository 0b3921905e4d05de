"""`blindpo evaluate`: responses made once and stored, judged, measured; and judged again without a model.

Words and rows are checked before a model is loaded. `--rejudge` reads an EVAL folder and writes another one, with the
same rows and responses and the verdicts of another judge.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindpo.errors import NothingKeptError, SourceError
from blindpo.evaluate.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluate.judges.table import Judge, find_judge
from blindpo.evaluate.judging import Cases, judge_responses, measure
from blindpo.evaluate.measures import row_meta
from blindpo.evaluate.stored import (
    MEASURES_FILE,
    ROWS,
    keep_pictures,
    link_files,
    link_rows,
    load_eval,
    stored_pictures,
)
from blindpo.evaluate.verdicts import RESPONSES, VERDICTS, json_lines, read_responses
from blindpo.evaluate.views import SAFE_IMAGES, pictures_for
from blindpo.models.source import ModelSource, fingerprint
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import data_hash, read_rows
from blindpo.runs.folder import OutFolder
from blindpo.runs.manifest import read_json, write_json, write_text

if TYPE_CHECKING:
    from blindpo.evaluate.responses import PromptCache
    from blindpo.models.vlm import Vlm


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
        found: dict[str, dict[str, Any]] = self.results["measures"]
        return found


def evaluate(
    config: EvaluateConfig,
    data: Path,
    model: ModelSource,
    out: Path,
    *,
    vlm: "Vlm | None" = None,
    prompt_cache: "PromptCache | None" = None,
) -> EvalSummary:
    """Evaluate `model` on the rows of `data` into the folder `out`; resumes what a kill left.

    `vlm` is `model` already loaded; `prompt_cache` keeps tokenized prompts for the next model of the same processor.
    Raises UsageError, and NothingKeptError where the model gave no response at all.
    """
    judge = find_judge(config.judge, config)
    _require_rows(judge, read_rows(data))
    rows_hash = data_hash(data)
    identity = {
        "command": "evaluate",
        "config": config.identity(),
        "data": rows_hash,
        "model": {"name": _name(model), "fingerprint": vlm.fingerprint if vlm else fingerprint(model)},
    }
    pictures = pictures_for(data, config.views, None if config.safe_images is None else Path(config.safe_images))
    if config.safe_images is not None:
        identity["config"] = {**config.identity(), "safe_images": [image.sha256 for image in pictures.safe]}
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return _finished(out)
    from blindpo.evaluate.responses import Prompts, processor_identity, write_responses  # torch
    from blindpo.models.vlm import load_vlm

    vlm = vlm or load_vlm(model, dtype=config.dtype, image_padding=config.image_padding)
    scope = f"{rows_hash}\x1f{processor_identity(vlm.processor)}"
    prompts = Prompts(vlm.processor, scope, prompt_cache, pictures=pictures)
    shards = write_responses(vlm, config, data, folder.work, cache=prompts)
    link_rows(data, out / ROWS)
    keep_pictures(config.safe_images, out)
    write_text(out / RESPONSES, "".join(path.read_text(encoding="utf-8") for path in shards))
    return _judge_and_finish(folder, judge, config)


def rejudge(eval_folder: Path, config: RejudgeConfig, out: Path) -> EvalSummary:
    """Judge the stored responses of `eval_folder` again, into the folder `out`. Raises UsageError."""
    judge = find_judge(config.judge, config)
    stored = load_eval(eval_folder)
    _require_rows(judge, read_rows(stored.rows))
    theirs = stored.manifest["identity"]
    identity = {
        "command": "evaluate --rejudge",
        "config": config.identity(),
        "data": theirs["data"],
        "model": theirs["model"],
        "responses": sha256((eval_folder / RESPONSES).read_bytes()).hexdigest(),
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return _finished(out)
    link_rows(stored.rows, out / ROWS)
    link_files([eval_folder / RESPONSES], out)
    keep_pictures(eval_folder / SAFE_IMAGES if (eval_folder / SAFE_IMAGES).is_dir() else None, out)
    return _judge_and_finish(folder, judge, config)


def _finished(out: Path) -> EvalSummary:
    return EvalSummary(out=out, results=read_json(out / MEASURES_FILE), finished_before=True)


def _name(model: ModelSource) -> str:
    """The folder's own name, or the hub id with its revision: no path leaves the machine."""
    return model.path.resolve().name if model.path is not None else model.given


def _require_rows(judge: Judge, rows: Iterable[PreferenceRow]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.row_id in seen:
            raise SourceError(f"row {row.row_id} stands twice in the data; verdicts go by row_id: make them differ")
        seen.add(row.row_id)
        judge.require(row)
    if not seen:
        raise SourceError("the data folder holds no row; there is nothing to evaluate")


def _judge_and_finish(folder: OutFolder, judge: Judge, config: RejudgeConfig) -> EvalSummary:
    out = folder.path
    responses = read_responses(out / RESPONSES)
    if not any(response.text for response in responses):
        reasons = Counter(response.reason for response in responses)
        raise NothingKeptError(
            f"the model gave no response to any of the rows; the reason: {reasons.most_common(1)[0][0]}"
        )
    cases = Cases(out / ROWS, responses, stored_pictures(out, responses))
    verdicts = judge_responses(judge, cases, folder.work)
    results = measure(judge, [row_meta(row) for row in read_rows(out / ROWS)], responses, verdicts, config=config)
    summary = EvalSummary(out=out, results=results, finished_before=False)
    if not summary.complete and not config.judge_allow_missing:
        return summary  # not finished: the same command asks only for what is missing
    write_text(out / VERDICTS, json_lines(verdicts))
    write_json(out / MEASURES_FILE, results)
    folder.finish({"rows": results["rows"], "responses": results["responses"], "judge": dict(judge.identity)})
    return summary
