"""LLaVA's JSON list: `{"id", "image", "conversations": [{"from": "human"|"gpt", "value"}]}`.

A pair is either the last gpt `value` as a ranked list `[better, worse, ...]` (NiuTrans/Vision-LLM-Alignment), or the
two keys `chosen` and `rejected` beside conversations that end with a human turn. `image` is a name or a list of names;
text-only rows omit it. `<image>` stands where an image is; the newline after it belongs to the tag.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from blindpo.errors import RowError
from blindpo.formats.base import dump, read_json_list, require_image, require_object, require_text
from blindpo.formats.mmsafe_po import split_images
from blindpo.rows.row import IMAGE, PreferenceRow, Provenance, Role, Turn
from blindpo.runs.manifest import write_text

_ROLES: Final[dict[str, Role]] = {"system": "system", "human": "user", "gpt": "assistant"}
_SPEAKERS: Final = {role: speaker for speaker, role in _ROLES.items()}


class Llava:
    """The format `llava`."""

    name = "llava"

    def read(self, source: Path) -> list[Any]:
        """All records of the JSON file."""
        return read_json_list(source)

    def record_id(self, record: Any, number: int) -> str:
        """`llava-ID`, with the record's own id where it has one."""
        own = record.get("id") if isinstance(record, dict) else None
        return f"llava-{own}" if isinstance(own, int | str) and own != "" else f"llava-record-{number}"

    def to_row(self, record: Any, images: Path | None) -> PreferenceRow:
        """The row of one record."""
        known = require_object(record)
        if not isinstance(known.get("id"), int | str):
            raise RowError("the field 'id' is missing or no text", field="id")
        spoken = known.get("conversations")
        if not isinstance(spoken, list) or not spoken:
            raise RowError("the field 'conversations' is no list of turns", field="conversations")
        turns, responses = _split(known, spoken)
        names = known.get("image", [])
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise RowError("the field 'image' is no name and no list of names", field="image")
        ranked = isinstance(spoken[-1], dict) and isinstance(spoken[-1].get("value"), list)
        raw = [turn["value"] for turn in spoken if isinstance(turn.get("value"), str)]
        extra = {k: v for k, v in known.items() if k not in {"conversations", "chosen", "rejected", "image"}}
        kept = {"keys": list(known), "fields": extra, "ranked": ranked, "image": known.get("image")}
        if raw[: len(turns)] != [_render(turn) for turn in turns]:
            kept["values"] = raw[: len(turns)]
        return PreferenceRow(
            row_id=self.record_id(known, 0),
            prompt=turns,
            images=tuple(require_image(images, name) for name in names),
            chosen=responses[0],
            rejected=responses[1],
            more_rejected=tuple(responses[2:]),
            provenance=Provenance(source=self.name, source_row_id=str(known["id"]), dialogue_id=str(known["id"])),
            extra=dump(kept),
        )

    def write(self, rows: Iterable[PreferenceRow], out: Path) -> int:
        """A JSON list with an indent of 2."""
        records = [_to_record(row) for row in rows]
        write_text(out, json.dumps(records, ensure_ascii=False, indent=2) + "\n")
        return len(records)


def _split(record: Mapping[str, Any], spoken: list[Any]) -> tuple[tuple[Turn, ...], list[str]]:
    """Prompt turns and ranked responses of a record."""
    for turn in spoken:
        if not isinstance(turn, dict) or turn.get("from") not in _ROLES:
            raise RowError("a turn is not {'from': 'human' or 'gpt', 'value': ...}", field="conversations")
    last = spoken[-1].get("value", None)
    if spoken[-1]["from"] == "gpt":
        if not isinstance(last, list) or len(last) < 2 or not all(isinstance(text, str) for text in last):
            raise RowError("the last gpt value must be a ranked list of two responses or more", field="conversations")
        prompt, responses = spoken[:-1], last
    else:
        prompt, responses = spoken, [require_text(record, "chosen"), require_text(record, "rejected")]
    for text in responses:
        if not text.strip():
            raise RowError("a response is blank", field="conversations")
    return tuple(
        Turn(role=_ROLES[t["from"]], content=split_images(require_text(t, "value"))) for t in prompt
    ), responses


def _render(turn: Turn) -> str:
    return "".join("<image>\n" if part is IMAGE else part for part in turn.content)


def _to_record(row: PreferenceRow) -> dict[str, Any]:
    if row.chosen is None or row.rejected is None:
        raise RowError("a LLaVA preference row needs chosen and rejected", row_id=row.row_id, field="chosen")
    kept = json.loads(row.extra) if row.extra and row.provenance.source == "llava" else {}
    values = kept.get("values") or [_render(turn) for turn in row.prompt]
    spoken: list[dict[str, Any]] = [
        {"from": _SPEAKERS[turn.role], "value": value} for turn, value in zip(row.prompt, values, strict=True)
    ]
    responses = [row.chosen, row.rejected, *row.more_rejected]
    ranked = kept.get("ranked", True)
    if ranked:
        spoken.append({"from": "gpt", "value": responses})
    names = [image.file or image.sha256 for image in row.images]
    own: dict[str, Any] = {"id": row.row_id, "image": names[0] if len(names) == 1 else names, "conversations": spoken}
    if not ranked:
        own |= {"chosen": row.chosen, "rejected": row.rejected}
    if not kept:
        return own if names else {key: value for key, value in own.items() if key != "image"}
    own |= {"image": kept["image"], **kept["fields"]}
    return {key: own[key] for key in kept["keys"]}
