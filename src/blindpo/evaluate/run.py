"""`blindpo evaluate`: responses made once and stored, judged, measured; and judged again without a model.

Words and rows are checked before a model is loaded. `--rejudge` reads an EVAL folder and writes another one, with the
same rows and responses and the verdicts of another judge.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindpo.errors import NothingKeptError, SourceError
from blindpo.evaluate.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluate.judges.table import Judge, find_judge
from blindpo.evaluate.measures import RowMeta, measure_items, row_meta, safety_by_label
from blindpo.evaluate.stored import (
    MEASURES_FILE,
    ROWS,
    keep_pictures,
    link_files,
    link_rows,
    load_eval,
    stored_pictures,
)
from blindpo.evaluate.verdicts import RESPONSES, VERDICTS, Response, Verdict, View, json_lines, read_responses
from blindpo.evaluate.views import DEFAULT_VIEWS, SAFE_IMAGES, VIEWS, Pictures, pictures_for, shown_row
from blindpo.models.source import ModelSource, fingerprint
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import data_hash, read_rows
from blindpo.runs.folder import OutFolder
from blindpo.runs.manifest import read_json, write_json, write_text
from blindpo.runs.seeds import derive_seed
from blindpo.stats.clusters import ItemTable, estimate

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
    judge = find_judge(config.judge)
    _require_rows(judge, read_rows(data))
    rows_hash = data_hash(data)
    identity = {
        "command": "evaluate",
        "config": asdict(config),
        "data": rows_hash,
        "model": {"name": _name(model), "fingerprint": vlm.fingerprint if vlm else fingerprint(model)},
    }
    pictures = pictures_for(data, config.views, None if config.safe_images is None else Path(config.safe_images))
    if config.safe_images is not None:
        identity["config"] = {**asdict(config), "safe_images": [image.sha256 for image in pictures.safe]}
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
    judge = find_judge(config.judge)
    stored = load_eval(eval_folder)
    _require_rows(judge, read_rows(stored.rows))
    theirs = stored.manifest["identity"]
    identity = {
        "command": "evaluate --rejudge",
        "config": asdict(config),
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
    verdicts, metas = judge_rows(judge, read_rows(out / ROWS), responses, pictures=stored_pictures(out, responses))
    write_text(out / VERDICTS, json_lines(verdicts))
    results = measure(judge.name, metas, responses, verdicts, config=config)
    write_json(out / MEASURES_FILE, results)
    folder.finish({"rows": results["rows"], "responses": results["responses"], "judge": judge.name})
    return EvalSummary(out=out, results=results, finished_before=False)


def judge_rows(
    judge: Judge,
    rows: Iterable[PreferenceRow],
    responses: Sequence[Response],
    *,
    pictures: Pictures | None = None,
) -> tuple[list[Verdict], list[RowMeta]]:
    """One verdict per response, and what measures read of the rows; where there is no response, nor is a verdict.

    A judge gets the row as the response's view shows it, but for the textual twin, which every row carries itself.
    """
    by_row: dict[str, list[Response]] = {}
    for response in responses:
        by_row.setdefault(response.row_id, []).append(response)
    verdicts: list[Verdict] = []
    metas: list[RowMeta] = []
    for row in rows:
        metas.append(row_meta(row))
        for response in by_row.get(row.row_id, []):
            if response.text is None:
                verdicts.append(Verdict(row_id=row.row_id, view=response.view, judge=judge.name))
            else:
                shown = row if response.view in DEFAULT_VIEWS else shown_row(row, response.view, pictures or Pictures())
                verdicts.append(judge.verdict(shown, response.view, response.text))
    return verdicts, metas


def measure(
    judge: str,
    metas: Sequence[RowMeta],
    responses: Sequence[Response],
    verdicts: Sequence[Verdict],
    *,
    config: RejudgeConfig,
) -> dict[str, Any]:
    """The content of measures.json."""

    def with_interval(name: str, table: ItemTable) -> dict[str, object]:
        generator = np.random.default_rng(derive_seed(config.interval_seed, name))
        return estimate(table, generator=generator, num_draws=config.num_draws).to_json()

    tables = measure_items(metas, responses, verdicts)
    labels = safety_by_label(metas, verdicts)
    return {
        "judge": judge,
        "measures": {name: with_interval(name, table) for name, table in tables.items()},
        "by_label": {label: {"safety_rate": with_interval(label, table)} for label, table in labels.items()},
        "rows": len(metas),
        "responses": {
            view: _counts([r for r in responses if r.view == view])
            for view in (*DEFAULT_VIEWS, *_more_views(responses))
        },
        "no_verdict": sum(verdict.harm == "none" for verdict in verdicts),
    }


def _more_views(responses: Sequence[Response]) -> list[View]:
    found = {response.view for response in responses}
    return [view for view in VIEWS if view in found and view not in DEFAULT_VIEWS]


def _counts(responses: Sequence[Response]) -> dict[str, object]:
    reasons = Counter(response.reason for response in responses if response.reason is not None)
    return {
        "total": len(responses),
        "cut": sum(response.cut for response in responses),
        "missing": dict(sorted(reasons.items())),
    }
