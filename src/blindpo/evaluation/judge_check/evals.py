"""Human labels for a part of your own evaluations, beside the verdicts in their EVAL folders.

An item is a model's response to one row (view `as_is`). Items without a label are not lost: with them the labelled ones
give each model's corrected rate. Labels are found by row id, and by the model's name where the table has that column,
as `blindpo label-sheet` writes it. Items that share an image or a dialogue are one cluster, whichever model answered.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from blindpo.errors import SourceError
from blindpo.evaluation.eval_folder import StoredEval, load_eval
from blindpo.evaluation.judge_check.columns import JudgeCheckConfig
from blindpo.evaluation.judge_check.tables import (
    NONE,
    Checked,
    Codes,
    Unlabelled,
    label_code,
    read_table,
    require_columns,
    require_labels,
)
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows
from blindpo.stats.clusters import linked

ROW_ID: Final = "row_id"
MODEL: Final = "model"
CODES: Final = {"unsafe": 1, "safe": 0, "none": NONE}
ModelAndRow = tuple[str, str]
"""The model's name and the row's id."""


def read_evals(labels: Path, folders: Sequence[Path], config: JudgeCheckConfig) -> Checked:
    """The items of all folders with their labels. Raises SourceError: no such column, no label that fits an item."""
    evals = [load_eval(folder) for folder in folders]
    items: dict[ModelAndRow, PreferenceRow] = {}
    for stored in evals:
        rows = {row.row_id: row for row in read_rows(stored.rows)}
        for verdict in stored.verdicts:
            if verdict.view == "as_is":
                items.setdefault((stored.model_name, verdict.row_id), rows[verdict.row_id])
    if not items:
        raise SourceError(f"{folders[0]} holds no verdict; judge its responses first")
    codes, unmatched = _labels(labels, items, config)
    known = codes != NONE
    if not known.any():
        raise SourceError(
            f"{labels}: no label fits a response of {', '.join(map(str, folders))}; is column '{config.key or ROW_ID}' "
            f"the row id, and does '{config.label}' say {', '.join((*config.safe, *config.unsafe))}?"
        )
    verdicts = _verdicts(folders, evals, list(items))
    models = np.array([model for model, _ in items], dtype=np.str_)
    cluster = linked([_marks(row) for row in items.values()])[known]
    categories = {
        "label": np.array([row.label for row in items.values()], dtype=np.str_)[known],
        "category": np.array([(*row.categories, "(none)")[0] for row in items.values()], dtype=np.str_)[known],
    }
    return Checked(
        people=codes[known] == 1,
        verdicts={name: each[known] for name, each in verdicts.items()},
        annotators=(),
        model=models[known],
        categories=categories,
        cluster=np.unique(cluster, return_inverse=True)[1].astype(np.int64),
        num_rows=len(items),
        unmatched=unmatched,
        unlabelled=Unlabelled(models[~known], {name: each[~known] for name, each in verdicts.items()}),
    )


def _marks(row: PreferenceRow) -> list[tuple[str, str]]:
    images = [("image", image.sha256) for image in row.images]
    return [*images, ("dialogue", f"{row.provenance.source}\x1f{row.provenance.dialogue_id}")]


def _labels(path: Path, items: dict[ModelAndRow, PreferenceRow], config: JudgeCheckConfig) -> tuple[Codes, int]:
    """Each item's label as a code, and the number of rows in the table that fit no item."""
    rows = read_table(path)
    key, model = config.key or ROW_ID, config.model_column or MODEL
    require_columns(path, rows, [config.label, key, config.model_column])
    require_labels(path, rows, config.label)
    by_model = model in rows[0]
    names = {name for name, _ in items}
    if not by_model and len(names) > 1:
        raise SourceError(
            f"{path} has no column '{model}', and the responses come from {len(names)} models; name the column with "
            "--model-column"
        )
    by_item: dict[ModelAndRow, int] = {}
    for row in rows:
        item = (row[model] if by_model else next(iter(names)), row[key])
        if item in by_item:
            raise SourceError(f"{path}: row id '{row[key]}' occurs twice for one model; each response has one label")
        by_item[item] = label_code(row[config.label], config)
    unmatched = sum(item not in items for item in by_item)
    return np.array([by_item.get(item, NONE) for item in items], dtype=np.int8), unmatched


def _verdicts(folders: Sequence[Path], evals: Sequence[StoredEval], items: Sequence[ModelAndRow]) -> dict[str, Codes]:
    positions = {item: position for position, item in enumerate(items)}
    verdicts: dict[str, Codes] = {}
    seen: set[tuple[str, str]] = set()
    for folder, stored in zip(folders, evals, strict=True):
        judge, model = str(stored.results["judge"]), stored.model_name
        if (judge, model) in seen:
            raise SourceError(f"{folder}: judge {judge} on model {model} is in two folders; name one of them")
        seen.add((judge, model))
        codes = verdicts.setdefault(judge, np.full(len(items), NONE, dtype=np.int8))
        for verdict in stored.verdicts:
            if verdict.view == "as_is":
                codes[positions[model, verdict.row_id]] = CODES[verdict.harm]
    return verdicts
