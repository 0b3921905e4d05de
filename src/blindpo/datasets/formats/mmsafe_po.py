"""MMSafe-PO as released: one JSON list, turns in one string, responses that begin with `ASSISTANT: `.

Written from the released test split (arXiv 2503.14189; Apache-2.0, derived from Anthropic HH-RLHF, MIT). `type` is
"harmless" in every row: it names the HH subset, not the request, so `label` stays unknown. Fields without a place in
the row model go to `extra`, as does a string that its turns would not render back exactly: so the export has the same
bytes.
"""

import itertools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.download import Download
from blindpo.datasets.formats.base import (
    TAG,
    Format,
    dialogue_id,
    image_name,
    keep,
    kept_fields,
    merged,
    optional_text,
    own_id,
    require_object,
    require_pair,
    require_response,
    require_text,
)
from blindpo.errors import RowError
from blindpo.jobs.manifest import write_text
from blindpo.rows.row import IMAGE, Entity, ImageRef, Part, PreferenceRow, Provenance, Role, Turn

_SOURCE: Final = "mmsafe-po"
_ROLES: Final[dict[str, Role]] = {"USER": "user", "ASSISTANT": "assistant"}
_MARK: Final = re.compile(r"(?:^| )(USER|ASSISTANT):(?= |$)")
_RESPONSE: Final = "ASSISTANT: "


class MMSafePO(Format):
    """The format `mmsafe-po`."""

    name = _SOURCE

    def record_id(self, record: Any, number: int) -> str:
        """`mmsafe-po-ID`, also in the released test split."""
        return f"{_SOURCE}-{own_id(record) or f'record-{number}'}"

    def to_row(self, record: Any, row_id: str, download: Download) -> PreferenceRow:
        """The row of one released record."""
        known = require_object(record)
        source_id = own_id(known)
        if source_id is None:
            raise RowError("the field 'id' is missing, or neither number nor text", field="id")
        question, image, chosen, rejected = (
            require_text(known, field) for field in ("question", "image", "chosen", "rejected")
        )
        text_prompt = optional_text(known, "text_prompt")
        known.get("mid_prompt")  # used: it stays in `extra`, where the deictic view finds it
        prompt = parse_turns(question, "question")
        if question.count(TAG) != 1:
            raise RowError(f"{question.count(TAG)} times {TAG} for one image", field="question")
        row = PreferenceRow(
            row_id=row_id,
            prompt=prompt,
            images=(self.image(image, download),),
            chosen=_response(chosen, "chosen"),
            rejected=_response(rejected, "rejected"),
            text_prompt=None if text_prompt is None else parse_turns(text_prompt, "text_prompt"),
            entity=_entity(known),
            provenance=Provenance(
                source=_SOURCE,
                source_row_id=source_id,
                dialogue_id=dialogue_id(text_prompt or question, chosen, rejected),
            ),
        )
        return keep(row, known, _own(row))

    def image(self, name: str, download: Download) -> ImageRef:
        """The image named in a record."""
        return download.image(name)

    def to_record(self, row: PreferenceRow) -> dict[str, Any]:
        """The released record of `row`. Rows from elsewhere have only the keys that they can fill."""
        keys, fields = kept_fields(row, _SOURCE)
        own = _own(row)
        own["question"] = _unambiguous(row, "question", fields)
        if row.text_prompt is not None:
            own["text_prompt"] = _unambiguous(row, "text_prompt", fields)
        rest = {key: value for key, value in fields.items() if key not in {"question", "text_prompt"}}
        if not keys:
            return {key: value for key, value in own.items() if value is not None}
        return {key: rest.get(key, own.get(key)) for key in keys}

    def write(self, records: Iterable[Any], out: Path) -> None:
        """Write the released layout: `json.dumps(..., ensure_ascii=False, indent=4)` without a final newline."""
        write_text(out, json.dumps(list(records), ensure_ascii=False, indent=4))


def parse_turns(text: str, field: str) -> tuple[Turn, ...]:
    """Turns of `USER: ... ASSISTANT: ... USER: ... ASSISTANT:`; raises RowError if the roles differ.

    >>> [turn.role for turn in parse_turns("USER: a ASSISTANT: b USER: c ASSISTANT:", "question")]
    ['user', 'assistant', 'user']
    """
    marks = list(_MARK.finditer(text))
    roles = [mark.group(1) for mark in marks]
    expected = ["USER", "ASSISTANT"] * ((len(roles) + 1) // 2)
    if not marks or marks[0].start() != 0 or roles != expected or text[marks[-1].end() :].strip():
        raise RowError("the turns are not 'USER: ... ASSISTANT: ... USER: ... ASSISTANT:'", field=field)
    turns = []
    for mark, following in itertools.pairwise(marks):
        turns.append(Turn(role=_ROLES[mark.group(1)], content=split_images(text[mark.end() + 1 : following.start()])))
    return tuple(turns)


def split_images(text: str) -> tuple[Part, ...]:
    """Text and image slots; the newline after a tag belongs to the tag, since templates write their own.

    >>> [str(part) for part in split_images("See <image>\\nhere")]
    ['See ', 'ImageSlot.IMAGE', 'here']
    """
    parts: list[Part] = []
    for number, piece in enumerate(text.split(TAG)):
        if number:
            parts.append(IMAGE)
            piece = piece.removeprefix("\n")
        if piece:
            parts.append(piece)
    return tuple(parts)


def join_images(turn: Turn) -> str:
    """The turn's text with a tag and a newline for every image: the inverse of `split_images`."""
    return "".join(f"{TAG}\n" if part is IMAGE else part for part in turn.content)


def render_turns(turns: Iterable[Turn]) -> str:
    """The released string of `turns`: the inverse of `parse_turns`."""
    return " ".join([*(f"{turn.role.upper()}: {join_images(turn)}" for turn in turns), "ASSISTANT:"])


def _response(text: str, field: str) -> str:
    if not text.startswith(_RESPONSE):
        raise RowError("the response does not begin with 'ASSISTANT: '", field=field)
    return require_response(text.removeprefix(_RESPONSE), field)


def _entity(record: Any) -> Entity | None:
    text, kind, replacement = (optional_text(record, field) for field in ("entity", "entity_type", "replacement"))
    return None if text is None else Entity(text=text, type=kind, replacement=replacement)


def _own(row: PreferenceRow) -> dict[str, Any]:
    """The record made from the row's own fields; None for missing values."""
    chosen, rejected = require_pair(row)
    if len(row.images) != 1:
        raise RowError(f"MMSafe-PO has one image per row, not {len(row.images)}", row_id=row.row_id, field="images")
    entity = row.entity
    return {
        "id": row.provenance.source_row_id,
        "question": render_turns(row.prompt),
        "image": image_name(row.images[0]),
        "chosen": _RESPONSE + chosen,
        "rejected": _RESPONSE + rejected,
        "entity": entity and entity.text,
        "entity_type": entity and entity.type,
        "replacement": entity and entity.replacement,
        "text_prompt": None if row.text_prompt is None else render_turns(row.text_prompt),
    }


def _unambiguous(row: PreferenceRow, field: str, fields: dict[str, Any]) -> str:
    """The string that reads back as the row's turns: the imported one, else a rendered one. Raises RowError."""
    turns = row.prompt if field == "question" else row.text_prompt or ()
    for text in (fields.get(field), render_turns(turns)):
        if text is None:
            continue
        try:
            if parse_turns(text, field) == merged(turns):
                return str(text)
        except RowError:
            continue
    raise RowError("these turns, as one string, would read back as others", row_id=row.row_id, field=field)
