"""MMSafe-PO as released: one JSON list, turns in one string, responses that begin with `ASSISTANT: `.

Read from the released test split (arXiv 2503.14189; Apache-2.0, derived from Anthropic HH-RLHF, MIT). `type` is
"harmless" in every row: it names the HH subset, not the request, so `label` stays unknown. Whatever the row model does
not hold goes to `extra`, and a string that turns do not render back is kept there to the letter: the export has the
same bytes.
"""

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.errors import RowError
from blindpo.formats.base import dump, read_json_list, require_image, require_object, require_text
from blindpo.rows.row import IMAGE, Entity, Part, PreferenceRow, Provenance, Role, Turn
from blindpo.runs.manifest import write_text

_TAG: Final = "<image>"
_ROLES: Final[dict[str, Role]] = {"USER": "user", "ASSISTANT": "assistant"}
_MARK: Final = re.compile(r"(?:^| )(USER|ASSISTANT):(?= |$)")
_RESPONSE: Final = "ASSISTANT: "
_KNOWN: Final = ("question", "image", "chosen", "rejected", "entity", "entity_type", "replacement", "text_prompt")


class MMSafePO:
    """The format `mmsafe-po`."""

    name = "mmsafe-po"

    def read(self, source: Path) -> list[Any]:
        """All records of the released JSON file."""
        return read_json_list(source)

    def record_id(self, record: Any, number: int) -> str:
        """`mmsafe-po-ID`, with the record's own id where it has one."""
        own = record.get("id") if isinstance(record, dict) else None
        return f"mmsafe-po-{own}" if isinstance(own, int | str) else f"mmsafe-po-record-{number}"

    def to_row(self, record: Any, images: Path | None) -> PreferenceRow:
        """The row of one released record."""
        known = require_object(record)
        texts = {field: require_text(known, field) for field in ("question", "image", "chosen", "rejected")}
        if not isinstance(known.get("id"), int | str):
            raise RowError("the field 'id' is missing or no number", field="id")
        prompt = parse_turns(texts["question"], "question")
        if texts["question"].count(_TAG) != 1:
            raise RowError(f"{texts['question'].count(_TAG)} times <image> for one image", field="question")
        twin = parse_turns(require_text(known, "text_prompt"), "text_prompt") if "text_prompt" in known else None
        entity = None
        if "entity" in known:
            kinds = {
                key: known.get(source) for key, source in (("type", "entity_type"), ("replacement", "replacement"))
            }
            entity = Entity(text=require_text(known, "entity"), **kinds)
        dialogue = dump([known.get("text_prompt", texts["question"]), texts["chosen"], texts["rejected"]])
        return PreferenceRow(
            row_id=self.record_id(known, 0),
            prompt=prompt,
            images=(require_image(images, texts["image"]),),
            chosen=_response(texts["chosen"], "chosen"),
            rejected=_response(texts["rejected"], "rejected"),
            text_prompt=twin,
            entity=entity,
            provenance=Provenance(
                source=self.name, source_row_id=str(known["id"]), dialogue_id=sha256(dialogue.encode()).hexdigest()[:16]
            ),
            extra=dump(_extra(known, prompt, twin)),
        )

    def write(self, rows: Iterable[PreferenceRow], out: Path) -> int:
        """The released layout: `json.dumps(..., ensure_ascii=False, indent=4)` without a final newline."""
        records = [to_record(row) for row in rows]
        write_text(out, json.dumps(records, ensure_ascii=False, indent=4))
        return len(records)


def parse_turns(text: str, field: str) -> tuple[Turn, ...]:
    """Turns of `USER: ... ASSISTANT: ... USER: ... ASSISTANT:`; raises RowError where roles are not such.

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
    """Text and image slots; the newline after a tag belongs to the tag: templates write their own."""
    parts: list[Part] = []
    for number, piece in enumerate(text.split(_TAG)):
        if number:
            parts.append(IMAGE)
            piece = piece.removeprefix("\n")
        if piece:
            parts.append(piece)
    return tuple(parts)


def render_turns(turns: Iterable[Turn]) -> str:
    """The released string of `turns`: the inverse of `parse_turns`."""
    spoken = []
    for turn in turns:
        text = "".join(f"{_TAG}\n" if part is IMAGE else part for part in turn.content)
        spoken.append(f"{turn.role.upper()}: {text}")
    return " ".join([*spoken, "ASSISTANT:"])


def _response(text: str, field: str) -> str:
    if not text.startswith(_RESPONSE):
        raise RowError("the response does not begin with 'ASSISTANT: '", field=field)
    if not text.removeprefix(_RESPONSE).strip():
        raise RowError("the response is blank", field=field)
    return text.removeprefix(_RESPONSE)


def _extra(record: Mapping[str, Any], prompt: tuple[Turn, ...], twin: tuple[Turn, ...] | None) -> dict[str, Any]:
    """What an exact export needs beside the row: key order, unknown fields, strings that do not render back."""
    extra = {key: value for key, value in record.items() if key not in _KNOWN}
    for field, turns in {"question": prompt, "text_prompt": twin}.items():
        if turns is not None and render_turns(turns) != record[field]:
            extra[field] = record[field]
    return {"keys": list(record), "fields": extra}


def to_record(row: PreferenceRow) -> dict[str, Any]:
    """The released record of `row`. Rows of another source get the keys that they can fill."""
    if row.chosen is None or row.rejected is None or len(row.images) != 1:
        raise RowError("MMSafe-PO rows have one image, chosen and rejected", row_id=row.row_id, field="chosen")
    entity = row.entity or Entity(text="")
    own: dict[str, Any] = {
        "id": row.provenance.source_row_id,
        "question": render_turns(row.prompt),
        "image": row.images[0].file or row.images[0].sha256,
        "chosen": _RESPONSE + row.chosen,
        "rejected": _RESPONSE + row.rejected,
        "type": "harmless",
        "entity": entity.text,
        "entity_type": entity.type,
        "replacement": entity.replacement,
        "text_prompt": None if row.text_prompt is None else render_turns(row.text_prompt),
    }
    kept = json.loads(row.extra) if row.extra and row.provenance.source == "mmsafe-po" else None
    if kept is None:
        return {key: value for key, value in own.items() if value is not None}
    return {key: kept["fields"].get(key, own.get(key)) for key in kept["keys"]}
