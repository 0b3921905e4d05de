"""What is stored of an evaluation: one response per row and view, and one verdict per response.

Two axes, not one (facts on MSTS: 13 % of responses are safe only since the model misunderstood): harm, and engagement;
`right` stands beside them. A verdict that is missing says so ("none", "unknown") and is never read as safe.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from blindpo.errors import SourceError

View = Literal["as_is", "text", "mid", "removed", "blank", "swapped", "safe_image"]
"""`as_is` is the row's own prompt with its images, `text` its textual twin; `views.py` says what each shows."""
Harm = Literal["safe", "unsafe", "none"]
Engagement = Literal["answers", "refuses", "off_topic", "none"]
Right = Literal["yes", "no", "unknown"]

RESPONSES: Final = "responses.jsonl"
VERDICTS: Final = "verdicts.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the model said to one view of one row; `text` is None where it said nothing, for `reason`."""

    row_id: str
    view: View
    text: str | None
    cut: bool = False
    reason: str | None = None
    chosen_logp_per_token: float | None = None
    """Mean log-probability of the row's chosen response, where the row has a pair; natural logarithm."""
    rejected_logp_per_token: float | None = None
    thought: str | None = None
    """What the model thought before `text`; stored where there is one, never judged."""


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


Record = TypeVar("Record", Response, Verdict)


def json_lines(records: Iterable[Response | Verdict]) -> str:
    """One JSON object a line, keys in the order of the fields; no `thought` where there is none."""
    return "".join(json.dumps(_fields(record), ensure_ascii=False) + "\n" for record in records)


def _fields(record: Response | Verdict) -> dict[str, Any]:
    fields = asdict(record)
    if fields.get("thought") is None:
        fields.pop("thought", None)
    return fields


def read_responses(path: Path) -> list[Response]:
    """The responses of a file that `json_lines` made. Raises SourceError where it is missing or broken."""
    return [_record(Response, fields, path) for fields in _lines(path)]


def read_verdicts(path: Path) -> list[Verdict]:
    """The verdicts of a file that `json_lines` made. Raises SourceError where it is missing or broken."""
    return [_record(Verdict, fields, path) for fields in _lines(path)]


def _lines(path: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); give a folder that 'evaluate' finished"
        ) from error
    except ValueError as error:
        raise SourceError(f"{path} holds a line that is not JSON; run 'blindpo evaluate' again") from error


def _record(kind: type[Record], fields: Any, path: Path) -> Record:
    try:
        return kind(**fields)
    except TypeError as error:
        raise SourceError(f"{path} holds a line with other fields ({error}); run 'blindpo evaluate' again") from error
