"""What is stored of an evaluation: one response per row and view, and one verdict per response.

Two axes, not one (facts on MSTS: 13 % of responses are safe only since the model misunderstood): harm, and engagement;
`right` stands beside them. A verdict that is missing says so ("none", "unknown") and is never read as safe.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from blindpo.answer.response import View, read_records

Harm = Literal["safe", "unsafe", "none"]
Engagement = Literal["answers", "refuses", "off_topic", "none"]
Right = Literal["yes", "no", "unknown"]

VERDICTS: Final = "verdicts.jsonl"


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
    """What a judge that is a model answered, to the letter."""
    revision: str | None = None
    """Which model answered as judge, as far as it says."""
    reason: str | None = None
    """Why there is no verdict."""
    again: bool = False
    """Whether the judge could not be asked: another run may find a verdict, and until then there is no rate."""


def read_verdicts(path: Path) -> list[Verdict]:
    """The verdicts of a file that `json_lines` made. Raises SourceError where it is missing or broken."""
    return read_records(Verdict, path)
