"""Responses to verdicts to measures; what has no verdict is in no rate, and bounds say how much it could change.

Fail closed: where the judge could not be asked about some responses (server down, answers garbled), no measure that
reads a verdict has a value. Its bounds stand there instead: the value if all missing verdicts went one way, or the
other.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from blindpo.answer.response import Response, View
from blindpo.answer.views import DEFAULT_VIEWS, VIEWS, Pictures, shown_row
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.judges.base import Case, Judge, judged
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.evaluation.measures import RowMeta, measure_items, safety_by_label
from blindpo.jobs.progress import progress
from blindpo.jobs.seeds import derive_seed
from blindpo.rows.shards import read_rows
from blindpo.stats.clusters import ItemTable, estimate

NEED_NO_JUDGE: Final = ("pairwise_accuracy", "repetition", "chosen_logp")
"""Measures of the response or its likelihood alone."""


@dataclass(frozen=True, slots=True)
class Cases:
    """The responses that have a text, with their rows; may be read again and again, a row in memory at a time."""

    rows: Path
    responses: Sequence[Response]
    pictures: Pictures

    def __iter__(self) -> Iterator[Case]:
        """In the order of the rows. A judge gets the row as the view shows it; the twin stands in every row."""
        by_row: dict[str, list[Response]] = {}
        for response in self.responses:
            if response.text is not None:
                by_row.setdefault(response.row_id, []).append(response)
        for row in read_rows(self.rows):
            for response in by_row.get(row.row_id, []):
                shown = row if response.view in DEFAULT_VIEWS else shown_row(row, response.view, self.pictures)
                yield Case(row=shown, view=response.view, text=str(response.text))


def judge_responses(judge: Judge, cases: Cases, work: Path) -> list[Verdict]:
    """One verdict per response, in the order of the responses; where there is no text there is no verdict."""
    found: dict[tuple[str, View], Verdict] = {}
    with progress(sum(response.text is not None for response in cases.responses), "judge") as bar:
        for verdict in judged(judge, cases, work):
            found[verdict.row_id, verdict.view] = verdict
            bar.update(1)
    return [
        found[response.row_id, response.view]
        if response.text is not None
        else Verdict(row_id=response.row_id, view=response.view, judge=judge.name, reason="there is no response")
        for response in cases.responses
    ]


def measure(
    judge: Judge,
    metas: Sequence[RowMeta],
    responses: Sequence[Response],
    verdicts: Sequence[Verdict],
    *,
    config: RejudgeConfig,
) -> dict[str, Any]:
    """The content of measures.json."""
    not_asked = sum(verdict.again for verdict in verdicts)

    def with_interval(name: str, table: ItemTable) -> dict[str, object]:
        generator = np.random.default_rng(derive_seed(config.interval_seed, name))
        found = estimate(table, generator=generator, num_draws=config.num_draws).to_json()
        if not_asked and name not in NEED_NO_JUDGE:
            return without_rate(found, table)
        return {**found, "bounds": list(bounds(table))} if table.missing else found

    tables = measure_items(metas, responses, verdicts)
    labels = safety_by_label(metas, verdicts)
    reasons = Counter(verdict.reason for verdict in verdicts if verdict.harm == "none")
    return {
        "judge": judge.name,
        "judge_identity": dict(judge.identity),
        "measures": {name: with_interval(name, table) for name, table in tables.items()},
        "by_label": {label: {"safety_rate": with_interval(label, table)} for label, table in labels.items()},
        "rows": len(metas),
        "responses": {
            view: _counts([r for r in responses if r.view == view])
            for view in (*DEFAULT_VIEWS, *_more_views(responses))
        },
        "no_verdict": sum(verdict.harm == "none" for verdict in verdicts),
        "no_verdict_reasons": {str(reason): number for reason, number in sorted(reasons.items(), key=str)},
        "not_asked": not_asked,
    }


def without_rate(found: dict[str, object], table: ItemTable) -> dict[str, object]:
    """A measure whose judge could not be asked: no value, and the bounds between which it lies."""
    low, high = bounds(table)
    return {"value": None, "n": found["n"], "no_rate": True, "missing": table.missing, "bounds": [low, high]}


def bounds(table: ItemTable) -> tuple[float, float]:
    """The measure if every missing item had the least value, or the greatest. Without items: the measure's own bounds.

    30 items with mean 0.9 and 70 missing between 0 and 1: (0.27, 0.97).
    """
    total = len(table) + table.missing
    if not total:
        return table.bounds
    known = float(table.value.sum())
    low, high = ((known + table.missing * end) / total for end in table.bounds)
    return low, high


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
