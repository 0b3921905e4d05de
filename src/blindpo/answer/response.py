"""The stored form of answers: one response per row and view, one JSON object per line.

A missing response is marked: `text` is None and `reason` says why. It is never read as an answer.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from blindpo.errors import SourceError
from blindpo.rows.view_names import View, current_view

RESPONSES: Final = "responses.jsonl"
EMPTY: Final = "blank response"
"""Why there is no text: the answer was empty."""
_NOT_STORED: Final = {"stored": "never"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A model's answer to one view of one row; if there is none, `text` is None and `reason` says why."""

    row_id: str
    view: View
    text: str | None
    cut: bool = False
    reason: str | None = None
    chosen_logp_per_token: float | None = None
    """Mean log-probability of the row's chosen response, if the row has a pair; natural logarithm."""
    rejected_logp_per_token: float | None = None
    thought: str | None = field(default=None, metadata={"stored": "where given"})
    """The model's thought before `text`; never judged."""
    draw: int = field(default=0, metadata=_NOT_STORED)
    """The number of the response, if one view has several; those are stored in the row itself."""
    num_tokens: int | None = field(default=None, metadata=_NOT_STORED)
    """Tokens of thought and text together, without the end of turn; None if not counted."""
    redraws: int = field(default=0, metadata=_NOT_STORED)
    """Number of empty answers before this one."""
    revision: str | None = field(default=None, metadata=_NOT_STORED)
    """The model's revision, if a server names it."""


_Record = TypeVar("_Record")


def json_lines(records: Iterable[Any]) -> str:
    """Return dataclass records as one JSON object per line, keys in the order of the stored fields."""
    return "".join(json.dumps(_stored(record), ensure_ascii=False) + "\n" for record in records)


def _stored(record: Any) -> dict[str, Any]:
    content = asdict(record)
    for each in fields(record):
        stored = each.metadata.get("stored")
        if stored == "never" or (stored == "where given" and content[each.name] is None):
            del content[each.name]
    return content


def read_records(kind: Callable[..., _Record], path: Path) -> list[_Record]:
    """Read the records of a file written by `json_lines`. Raises SourceError if it is missing or broken."""
    return [_record(kind, fields, path) for fields in _lines(path)]


def read_responses(path: Path) -> list[Response]:
    """Read the responses of a file written by `json_lines`. Raises SourceError if it is missing or broken."""
    return read_records(_from_record, path)


def _from_record(*, view: str, **fields: Any) -> Response:
    return Response(view=current_view(view), **fields)


def _lines(path: Path) -> list[Any]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); give a folder that 'evaluate' finished"
        ) from error
    except ValueError as error:
        raise SourceError(f"{path} holds a line that is not JSON; run 'blindpo evaluate' again") from error


def _record(kind: Callable[..., _Record], fields: Any, path: Path) -> _Record:
    try:
        return kind(**fields)
    except TypeError as error:
        raise SourceError(f"{path} holds a line with other fields ({error}); run 'blindpo evaluate' again") from error
