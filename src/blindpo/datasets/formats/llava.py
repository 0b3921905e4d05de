"""LLaVA's JSON list: `{"id", "image", "conversations": [{"from": "human"|"gpt", "value"}]}`.

A pair is either the last gpt `value` as a ranked list `[better, worse, ...]` (NiuTrans/Vision-LLM-Alignment), or the
two keys `chosen` and `rejected` beside conversations that end with a human turn. `image` is a name or a list of names;
text-only rows omit it. `<image>` marks the position of an image; the newline after it belongs to the tag. Other keys
are kept for the export.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from blindpo.datasets.download import Download
from blindpo.datasets.formats.base import (
    Format,
    dialogue_id,
    image_name,
    keep,
    kept_fields,
    merged,
    own_id,
    require_object,
    require_pair,
    require_response,
    require_text,
)
from blindpo.datasets.formats.mmsafe_po import join_images, split_images
from blindpo.errors import RowError
from blindpo.jobs.manifest import write_text
from blindpo.rows.row import PreferenceRow, Provenance, Role, Turn

_ROLES: Final[dict[str, Role]] = {"system": "system", "human": "user", "gpt": "assistant"}
_SPEAKERS: Final = {role: speaker for speaker, role in _ROLES.items()}


class _Parsed(NamedTuple):
    """A parsed record: turns, responses from best to worst, names of images."""

    turns: tuple[Turn, ...]
    responses: tuple[str, ...]
    names: tuple[str, ...]


class Llava(Format):
    """The format `llava`."""

    name = "llava"

    def to_row(self, record: Any, row_id: str, download: Download) -> PreferenceRow:
        """The row of one record."""
        known = require_object(record)
        parsed = _parse(known)
        words = [join_images(turn) for turn in parsed.turns]
        row = PreferenceRow(
            row_id=row_id,
            prompt=parsed.turns,
            images=tuple(download.image(name) for name in parsed.names),
            chosen=parsed.responses[0],
            rejected=parsed.responses[1],
            more_rejected=parsed.responses[2:],
            provenance=Provenance(
                source=self.name,
                source_row_id=own_id(known) or row_id.removeprefix("llava-"),
                dialogue_id=dialogue_id(*words, *parsed.responses),
            ),
        )
        return keep(row, known, _own(row, ranked="chosen" not in known))

    def to_record(self, row: PreferenceRow) -> dict[str, Any]:
        """The record of `row`: the imported one if it still says the same, else one made from the row's fields."""
        require_pair(row)
        keys, fields = kept_fields(row, self.name)
        own = _own(row, ranked="chosen" not in keys or bool(row.more_rejected))
        as_read = {key: fields.get(key, own.get(key)) for key in keys}
        rest = {key: value for key, value in fields.items() if key not in {"conversations", "image"}}
        for record in (as_read, {**own, **rest}):
            if keys and _says(record, row):
                return record
        if _says(own, row):
            return own
        raise RowError("these turns, in LLaVA's form, would read back as others", row_id=row.row_id, field="prompt")

    def write(self, records: Iterable[Any], out: Path) -> None:
        """Write a JSON list with an indent of 2."""
        write_text(out, json.dumps(list(records), ensure_ascii=False, indent=2) + "\n")


def _parse(record: Mapping[str, Any]) -> _Parsed:
    spoken = record.get("conversations")
    if not isinstance(spoken, list) or not spoken:
        raise RowError("the field 'conversations' is no list of turns", field="conversations")
    for turn in spoken:
        speaker = turn.get("from") if isinstance(turn, dict) else None
        if not isinstance(speaker, str) or speaker not in _ROLES:
            raise RowError("a turn is not {'from': 'human' or 'gpt', 'value': ...}", field="conversations")
    prompt, responses = _split(record, spoken)
    turns = tuple(Turn(role=_ROLES[t["from"]], content=split_images(require_text(t, "value"))) for t in prompt)
    return _Parsed(turns, responses, _names(record))


def _split(record: Mapping[str, Any], spoken: list[Any]) -> tuple[list[Any], tuple[str, ...]]:
    """The turns of the prompt, and the responses."""
    if spoken[-1]["from"] != "gpt":
        return spoken, tuple(require_response(require_text(record, key), key) for key in ("chosen", "rejected"))
    ranked = spoken[-1].get("value")
    if not isinstance(ranked, list) or len(ranked) < 2 or not all(isinstance(text, str) for text in ranked):
        raise RowError("the last gpt value must be a ranked list of two responses or more", field="conversations")
    if "chosen" in record or "rejected" in record:
        raise RowError("a ranked list, and 'chosen' or 'rejected' too; give one of them", field="conversations")
    return spoken[:-1], tuple(require_response(text, "conversations") for text in ranked)


def _names(record: Mapping[str, Any]) -> tuple[str, ...]:
    names = record.get("image") or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise RowError("the field 'image' is no name and no list of names", field="image")
    return tuple(names)


def _own(row: PreferenceRow, *, ranked: bool) -> dict[str, Any]:
    """The record made from the row's own fields."""
    responses = [*require_pair(row), *row.more_rejected]
    spoken: list[Any] = [{"from": _SPEAKERS[turn.role], "value": join_images(turn)} for turn in row.prompt]
    names = [image_name(image) for image in row.images]
    image = {"image": names[0] if len(names) == 1 else names} if names else {}
    own_name = row.provenance.source_row_id if row.provenance.source == "llava" else row.row_id
    if ranked:
        return {"id": own_name, **image, "conversations": [*spoken, {"from": "gpt", "value": responses}]}
    return {"id": own_name, **image, "conversations": spoken, "chosen": responses[0], "rejected": responses[1]}


def _says(record: Mapping[str, Any], row: PreferenceRow) -> bool:
    """Whether `record` reads back as `row`'s turns, responses and images."""
    responses = (*require_pair(row), *row.more_rejected)
    try:
        return _parse(record) == (merged(row.prompt), responses, tuple(map(image_name, row.images)))
    except RowError:
        return False
