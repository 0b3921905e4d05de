"""Named invariants of a row. Each violation names the field and says what is allowed; none repeats the row's text."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass

from blindpo.errors import RowError
from blindpo.rows.row import LABELS, PreferenceRow, Turn
from blindpo.rows.view_names import BLIND_VIEWS


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant: its name, the field concerned, and the reason."""

    name: str
    field: str
    reason: str


def violations(row: PreferenceRow, *, pair: bool = False) -> list[Violation]:
    """List the broken invariants of `row`; with `pair`, chosen and rejected must be present too.

    A row that breaks one is never repaired by guessing: it is rejected with the first reason.
    """
    broken = [*_identity(row), *_conversation(row), *_images(row), *_responses(row), *_opaque(row), *_unicode(row)]
    return [*broken, *_pair(row)] if pair else broken


def require_valid(row: PreferenceRow, *, pair: bool = False) -> None:
    """Raise `RowError` with the first broken invariant of `row`."""
    for violation in violations(row, pair=pair):
        raise RowError(violation.reason, row_id=row.row_id, field=violation.field)


def _identity(row: PreferenceRow) -> Iterator[Violation]:
    if not row.row_id:
        yield Violation("row_id", "row_id", "the row has no id; every row needs one of its own")
    if row.label not in LABELS:
        yield Violation("label", "label", f"the label is none of {', '.join(LABELS)}")


def _conversation(row: PreferenceRow) -> Iterator[Violation]:
    yield from _turns(row.prompt, "prompt")
    if row.text_prompt is not None:
        yield from _turns(row.text_prompt, "text_prompt")
        if any(turn.num_images for turn in row.text_prompt):
            yield Violation("text_only_twin", "text_prompt", "the textual twin holds an image slot; it is text alone")


def _turns(turns: tuple[Turn, ...], field: str) -> Iterator[Violation]:
    leading_system = bool(turns) and turns[0].role == "system"
    spoken = turns[1:] if leading_system else turns
    if leading_system and not turns[0].text.strip():
        yield Violation("empty_turn", field, "the system turn is empty")
    if not spoken:
        yield Violation("no_turn", field, "the conversation has no user turn")
        return
    for number, turn in enumerate(spoken):
        if turn.role != ("user", "assistant")[number % 2]:
            yield Violation("roles", field, f"turn {number + 1} is by '{turn.role}'; user and assistant must alternate")
            return
        if not turn.num_images and not turn.text.strip():
            yield Violation("empty_turn", field, f"turn {number + 1} is empty")
            return
    if spoken[-1].role != "user":
        yield Violation("last_turn", field, "the conversation does not end with a user turn")


def _images(row: PreferenceRow) -> Iterator[Violation]:
    slots = sum(turn.num_images for turn in row.prompt)
    if slots != len(row.images):
        yield Violation("image_slots", "images", f"{slots} image slots in the text and {len(row.images)} images")
    for number, image in enumerate(row.images):
        if not image.data:
            yield Violation("empty_image", "images", f"image {number + 1} has no bytes")


def _responses(row: PreferenceRow) -> Iterator[Violation]:
    named = {"chosen": row.chosen, "rejected": row.rejected}
    for field, text in named.items():
        if text is not None and not text.strip():
            yield Violation("blank_response", field, "the response is blank")
    if row.chosen is not None and row.rejected is not None and row.chosen.strip() == row.rejected.strip():
        yield Violation("identical_responses", "rejected", "chosen and rejected are the same text")
    for text in row.more_rejected:
        if not text.strip():
            yield Violation("blank_response", "more_rejected", "a response is blank")
    for answer in row.blind:
        if not answer.text.strip():
            yield Violation("blank_response", "blind", "a blind response is blank")
        if answer.view not in BLIND_VIEWS:
            yield Violation("blind_view", "blind", f"the view is none of {', '.join(BLIND_VIEWS)}")


def _opaque(row: PreferenceRow) -> Iterator[Violation]:
    for field, text in {"truth": row.truth, "extra": row.extra}.items():
        if text is not None and not _is_json(text):
            yield Violation("json", field, "the field is not JSON, or nested too deeply to be read")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _unicode(row: PreferenceRow) -> Iterator[Violation]:
    """JSON sources can hold half of a surrogate pair (an escape cut in two); UTF-8, hence Parquet, cannot."""
    for field in PreferenceRow.__dataclass_fields__:
        if not _encodable("".join(_texts(getattr(row, field)))):
            yield Violation("unicode", field, "the text holds half of a surrogate pair, which is no character")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)
    elif is_dataclass(value):  # dataclasses.asdict would copy every value first
        for name in value.__dataclass_fields__:
            yield from _texts(getattr(value, name))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pair(row: PreferenceRow) -> Iterator[Violation]:
    for field, text in {"chosen": row.chosen, "rejected": row.rejected}.items():
        if text is None:
            yield Violation("no_pair", field, f"the row has no {field} response; a preference pair needs both")
