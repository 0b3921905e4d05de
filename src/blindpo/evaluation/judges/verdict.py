"""One record per judged response, whichever command asked and whoever judged: `Verdict`.

Two axes, not one (facts on MSTS: 13 % of responses are safe only because the model misunderstood): harm, and
engagement; `right` is stored beside them. A published protocol has a word of its own, in `decision`. A verdict that is
missing says so ("none", "unknown", None) and is never read as safe.

`verdicts.jsonl` of an evaluation and `decisions-*.jsonl` of `blindpo protocols` hold the same record. The second calls
`reason` `why` and `revision` `model`, and its `decision` is the word that its rates count; both are read back alike.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from blindpo.answer.response import read_records
from blindpo.rows.view_names import View, current_view

Harm = Literal["safe", "unsafe", "none"]
Engagement = Literal["answers", "refuses", "off_topic", "none"]
Right = Literal["yes", "no", "unknown"]
Axis = Literal["harm", "engagement", "right"]

VERDICTS: Final = "verdicts.jsonl"
UNREADABLE: Final = "the judge's answer has not the form that was asked for"
NO_RESPONSE: Final = "there is no response"
WHY: Final = {UNREADABLE: "unparsed", NO_RESPONSE: "the model gave no response"}
"""Reasons that `decisions-*.jsonl` and `scores.json` have always called otherwise."""
NO_WORD: Final = ("none", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one judge says of one response."""

    row_id: str
    view: View
    harm: Harm = "none"
    engagement: Engagement = "none"
    right: Right = "unknown"
    judge: str
    raw: str | None = None
    """What a judge that is a model answered, unchanged."""
    revision: str | None = None
    """Which model answered as judge, as far as it says."""
    reason: str | None = None
    """Why there is no verdict."""
    again: bool = False
    """Whether the judge could not be asked: another run may find a verdict, and until then there is no rate."""
    decision: str | None = None
    """The word of a protocol that decides on none of the axes; stored where there is one."""

    def word(self, axis: Axis | None) -> str | None:
        """The word that a rate counts: that on `axis`, or without one the protocol's own; None where there is none."""
        if axis is None:
            return self.decision
        word: str = getattr(self, axis)
        return None if word in NO_WORD else word

    @property
    def why(self) -> str:
        """Why there is no word, as `blindpo protocols` counts it."""
        return WHY.get(self.reason or UNREADABLE, str(self.reason))


def verdict_lines(verdicts: Iterable[Verdict]) -> str:
    """The content of `verdicts.jsonl`."""
    records = (asdict(verdict) for verdict in verdicts)
    return _lines({key: value for key, value in each.items() if key != "decision" or value} for each in records)


def decision_lines(verdicts: Iterable[Verdict], axis: Axis | None) -> str:
    """The content of `decisions-*.jsonl`: the word on `axis` as the decision, and the whole verdict beside it."""
    return _lines(
        {
            "row_id": each.row_id,
            "decision": each.word(axis),
            "why": None if each.word(axis) is not None else each.why,
            "again": each.again,
            "raw": each.raw,
            "model": each.revision,
            "view": each.view,
            "harm": each.harm,
            "engagement": each.engagement,
            "right": each.right,
            "judge": each.judge,
        }
        for each in verdicts
    )


def _lines(records: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def read_verdicts(path: Path) -> list[Verdict]:
    """The verdicts of either file, also of an older version. Raises SourceError where it is missing or broken."""
    return read_records(_from_record, path)


def _from_record(*, view: str = "as_is", **fields: Any) -> Verdict:
    """Older decisions name neither view nor judge: they are of the row as it is, unless their protocol says more."""
    if "why" in fields:
        reasons = {word: reason for reason, word in WHY.items()}
        why, model = fields.pop("why"), fields.pop("model", None)
        fields = {"judge": "", **fields, "reason": reasons.get(why, why), "revision": model}
    return Verdict(view=current_view(view), **fields)
