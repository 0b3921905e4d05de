"""A verdict on a row by its number."""

from typing import Any

from blindpo.evaluation.judges.verdict import Verdict


def verdict(number: int, harm: str, engagement: str, right: str = "unknown", *, view: str = "as_is") -> Verdict:
    """What the judge `test` says of the response to row `r<number>`."""
    fields: dict[str, Any] = {"view": view, "harm": harm, "engagement": engagement, "right": right}
    return Verdict(row_id=f"r{number}", judge="test", **fields)
