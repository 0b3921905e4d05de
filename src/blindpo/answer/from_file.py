"""Responses made elsewhere, in a file of JSON lines: one response per line, identified by row, view and draw.

    {"row_id": "siuo-3", "text": "..."}        also "view", "cut", and "draw" (0 where it is missing)
    {"id": "siuo-3", "response": "..."}        the same under the names that other tools write

A thought (`<think>...</think>` before the answer) is stored separately and not judged. Rows without a line have no
response, and are counted as missing; lines for unknown rows are refused, since the file must then belong to other rows.
"""

import json
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.answer.answerer import Ask
from blindpo.answer.response import EMPTY, Response
from blindpo.errors import SourceError
from blindpo.models.thoughts import split_thought
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.rows.row import PreferenceRow
from blindpo.rows.view_names import VIEWS, View, current_view

NO_RECORD: Final = "the recording holds no response"
Key = tuple[str, str, int]
"""Row id, view, draw."""


class RecordedAnswers:
    """Answers from a file of recorded responses."""

    revision: str | None = None
    source = None
    drawn: GenerationConfig | None = None

    def __init__(self, path: Path, row_ids: Collection[str], *, view: View = "as_is") -> None:
        """Read the file; `view` is the view of lines that name none. Raises SourceError that names the line."""
        self.name = f"recorded:{path.name}"
        self.fingerprint = _file_hash(path)
        self._recorded = _read_lines(path, set(row_ids), view)

    @property
    def views(self) -> set[str]:
        """The views that occur in the file."""
        return {view for _, view, _ in self._recorded}

    def check(self, row: PreferenceRow) -> None:
        """Accept every row, since nothing is shown to a model."""

    def respond(self, asks: Sequence[Ask]) -> list[Response]:
        """Return one response per ask, in order."""
        return [self._recorded.get((ask.row.row_id, ask.view, ask.draw), _not_recorded(ask)) for ask in asks]

    def logp_in_sight(self, pairs: object) -> None:
        """Return None: a file gives no likelihoods."""


def _not_recorded(ask: Ask) -> Response:
    return Response(row_id=ask.row.row_id, view=ask.view, draw=ask.draw, text=None, reason=NO_RECORD)


def _file_hash(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(f"--responses {path} cannot be read ({error.strerror}); give a file of JSON lines") from error


def _read_lines(path: Path, known: set[str], view: View) -> dict[Key, Response]:
    recorded: dict[Key, Response] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            where = f"--responses {path}, line {number}"
            response = _read(line, where, view)
            key = (response.row_id, response.view, response.draw)
            if response.row_id not in known:
                raise SourceError(f"{where}: row {response.row_id} is none of the data's rows")
            if key in recorded:
                raise SourceError(f"{where}: row {key[0]}, view {key[1]}, draw {key[2]} occurs twice; keep one line")
            recorded[key] = response
    return recorded


def _read(line: str, where: str, default_view: View) -> Response:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise SourceError(f"{where} is not JSON; give one JSON object per line") from error
    if not isinstance(record, dict):
        raise SourceError(f"{where} is not a JSON object; give one per line, with row_id and text")
    row_id, text = _first(record, "row_id", "id"), _first(record, "text", "response")
    view, draw = current_view(str(record.get("view", default_view))), record.get("draw", 0)
    if not isinstance(row_id, str | int) or not isinstance(text, str | None) or view not in VIEWS:
        raise SourceError(f"{where}: it needs row_id, text (or null), and view as one of {', '.join(VIEWS)}")
    if not isinstance(draw, int) or draw < 0:
        raise SourceError(f"{where}: draw is {draw}; it must be a whole number from 0")
    thought, answer = split_thought(text or "")
    is_empty = not answer.strip()
    return Response(
        row_id=str(row_id),
        view=view,
        draw=draw,
        text=None if is_empty else answer,
        cut=bool(record.get("cut", False)),
        reason=EMPTY if is_empty else None,
        chosen_logp_per_token=_number(record, "chosen_logp_per_token"),
        rejected_logp_per_token=_number(record, "rejected_logp_per_token"),
        thought=thought or None,
    )


def _first(record: dict[str, Any], *keys: str) -> Any:
    return next((record[key] for key in keys if key in record), None)


def _number(record: dict[str, Any], key: str) -> float | None:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
