"""Responses that were made elsewhere: a file of JSON lines, one response a line, found by row and view.

    {"row_id": "siuo-3", "text": "..."}        also "view" (as_is where it is missing) and "cut"
    {"id": "siuo-3", "response": "..."}        the same under the names that other tools write

A thought (`<think>...</think>` before the answer) is kept apart and not judged. Rows that the file does not hold have
no response, and are counted as missing; lines for no row are refused, since they say that the file belongs to other
rows.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, get_args

from blindpo.answer.response import Response, View
from blindpo.answer.shards import Respond
from blindpo.answer.views import VIEWS, has_view
from blindpo.errors import SourceError
from blindpo.models.thoughts import split_thought
from blindpo.rows.row import PreferenceRow

NOT_RECORDED: Final = "the recording holds no response"
_VIEWS: Final = get_args(View)


def file_hash(path: Path) -> str:
    """Hash of the recording. Raises SourceError where it cannot be read."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(f"--responses {path} cannot be read ({error.strerror}); give a file of JSON lines") from error


def read_recorded(path: Path, row_ids: Sequence[str]) -> dict[tuple[str, View], Response]:
    """The file's responses. Raises SourceError that names the line."""
    known = set(row_ids)
    found: dict[tuple[str, View], Response] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            response = _read(line, f"--responses {path}, line {number}")
            key = (response.row_id, response.view)
            if response.row_id not in known:
                raise SourceError(
                    f"--responses {path}, line {number}: row {response.row_id} is none of the data's rows"
                )
            if key in found:
                raise SourceError(f"--responses {path}, line {number}: row {key[0]}, view {key[1]}, stands there twice")
            found[key] = response
    return found


def _read(line: str, where: str) -> Response:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise SourceError(f"{where} is not JSON; give one JSON object a line") from error
    if not isinstance(record, dict):
        raise SourceError(f"{where} is no JSON object; give one a line, with row_id and text")
    row_id, text = _first(record, "row_id", "id"), _first(record, "text", "response")
    view = record.get("view", "as_is")
    if not isinstance(row_id, str | int) or not isinstance(text, str | None) or view not in _VIEWS:
        raise SourceError(f"{where}: it needs row_id, text (or null), and view as one of {', '.join(_VIEWS)}")
    thought, answer = split_thought(text or "")
    blank = not answer.strip()
    return Response(
        row_id=str(row_id),
        view=view,
        text=None if blank else answer,
        cut=bool(record.get("cut", False)),
        reason="blank response" if blank else None,
        chosen_logp_per_token=_number(record, "chosen_logp_per_token"),
        rejected_logp_per_token=_number(record, "rejected_logp_per_token"),
        thought=thought or None,
    )


def _first(record: dict[str, Any], *keys: str) -> Any:
    return next((record[key] for key in keys if key in record), None)


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def recorded_respond(found: dict[tuple[str, View], Response], views: Sequence[str]) -> Respond:
    """Answers rows from the recording, under the views that it holds of any row."""
    held = {view for _, view in found}
    asked = [view for view in VIEWS if view in views and (view in held or view == "as_is")]

    def respond(rows: Sequence[PreferenceRow]) -> list[Response]:
        return [
            found.get((row.row_id, view), Response(row_id=row.row_id, view=view, text=None, reason=NOT_RECORDED))
            for row in rows
            for view in asked
            if has_view(row, view)
        ]

    return respond
