"""TRL's vision-preference columns (https://huggingface.co/docs/trl/dataset_formats): prompt, chosen, rejected, images.

Read from Parquet (a file or a folder), JSON or JSON lines. Content is a text or a list of `{"type": "image"}` and
`{"type": "text", "text"}` parts; with plain text TRL puts all images before the first user message, and so do we.
Images are structs of bytes and path, base64 text, or names below --images. Written as Parquet with our own schema,
which is TRL's columns and more: what was imported from such a folder comes back as it was.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from blindpo.errors import RowError, SourceError
from blindpo.formats.base import read_json_list, require_image, require_object
from blindpo.rows.row import IMAGE, ImageRef, Part, PreferenceRow, Provenance, Turn
from blindpo.rows.schema import SCHEMA, from_record
from blindpo.rows.shards import shard_name, write_shard


class Trl:
    """The format `trl`."""

    name = "trl"

    def read(self, source: Path) -> list[Any]:
        """All records of a Parquet file or folder, a JSON list, or JSON lines."""
        if source.is_dir():
            paths = sorted(source.glob("*.parquet"))
            if not paths:
                raise SourceError(f"{source} holds no .parquet file; give Parquet, a JSON list or JSON lines")
            return [record for path in paths for record in _read_parquet(path)]
        if source.suffix == ".parquet":
            return _read_parquet(source)
        return _read_lines(source) if source.suffix == ".jsonl" else read_json_list(source)

    def record_id(self, record: Any, number: int) -> str:
        """The record's `row_id` or `id`, else `trl-record-NUMBER`."""
        own = (record.get("row_id") or record.get("id")) if isinstance(record, dict) else None
        return str(own) if isinstance(own, int | str) else f"trl-record-{number}"

    def to_row(self, record: Any, images: Path | None) -> PreferenceRow:
        """The row of one record; a record with all of our own columns is taken as it is."""
        known = require_object(record)
        if set(SCHEMA.names) <= set(known):
            row = from_record(known)
            if row.chosen is None or row.rejected is None:
                raise RowError("the row has no pair of responses", field="chosen")
            return row
        prompt = _turns(known.get("prompt"), "prompt")
        found = known.get("images", known.get("image")) or []
        pictures = tuple(_image(one, images) for one in (found if isinstance(found, list) else [found]))
        if pictures and not any(turn.num_images for turn in prompt):
            prompt = _images_first(prompt, known.get("prompt"), len(pictures))
        row_id = self.record_id(known, 0)
        return PreferenceRow(
            row_id=row_id,
            prompt=prompt,
            images=pictures,
            chosen=_response(known.get("chosen"), "chosen"),
            rejected=_response(known.get("rejected"), "rejected"),
            provenance=Provenance(source=self.name, source_row_id=row_id, dialogue_id=row_id),
        )

    def write(self, rows: Iterable[PreferenceRow], out: Path) -> int:
        """One Parquet shard in the folder `out`."""
        out.mkdir(parents=True, exist_ok=True)
        return write_shard(out / shard_name(0), rows)


def _read_parquet(path: Path) -> list[Any]:
    try:
        records: list[Any] = pq.read_table(path).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path} is not readable Parquet ({' '.join(str(error).split())[:120]})") from error
    return records


def _read_lines(source: Path) -> list[Any]:
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise SourceError(f"{source} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SourceError(f"{source} is not JSON lines ({error})") from error


def _turns(messages: Any, field: str) -> tuple[Turn, ...]:
    if isinstance(messages, str):
        return (Turn(role="user", content=(messages,)),)
    if not isinstance(messages, list) or not messages:
        raise RowError(f"the field '{field}' is missing or no list of messages", field=field)
    turns = []
    for message in messages:
        if not isinstance(message, Mapping) or message.get("role") not in {"system", "user", "assistant"}:
            raise RowError("a message has no role of system, user, assistant", field=field)
        turns.append(Turn(role=message["role"], content=_content(message.get("content"), field)))
    return tuple(turns)


def _content(content: Any, field: str) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (content,)
    if not isinstance(content, list):
        raise RowError("a message's content is neither text nor a list of parts", field=field)
    parts: list[Part] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "image":
            parts.append(IMAGE)
        elif kind == "text" and isinstance(part.get("text"), str):
            parts.append(part["text"])
        else:
            raise RowError("a part of a message is neither an image nor a text", field=field)
    return tuple(parts)


def _images_first(prompt: tuple[Turn, ...], raw: Any, count: int) -> tuple[Turn, ...]:
    if not isinstance(raw, str) and any(not isinstance(message["content"], str) for message in raw):
        raise RowError("there are images but no image part in the prompt", field="images")
    first = next((i for i, turn in enumerate(prompt) if turn.role == "user"), 0)
    moved = Turn(role=prompt[first].role, content=(*[IMAGE] * count, *prompt[first].content))
    return (*prompt[:first], moved, *prompt[first + 1 :])


def _response(messages: Any, field: str) -> str:
    if isinstance(messages, str):
        return messages
    turns = _turns(messages, field)
    if len(turns) != 1 or turns[0].role != "assistant" or turns[0].num_images:
        raise RowError(f"'{field}' must be one assistant message of text", field=field)
    return turns[0].text


def _image(found: Any, images: Path | None) -> ImageRef:
    if isinstance(found, Mapping) and isinstance(found.get("bytes"), bytes):
        return ImageRef(data=found["bytes"], file=found.get("path"))
    if isinstance(found, Mapping) and isinstance(found.get("path"), str):
        return require_image(images, found["path"])
    if isinstance(found, str):
        text = found.partition("base64,")[2] if found.startswith("data:") else found
        if found.startswith("data:") or len(found) > 1024:
            try:
                return ImageRef(data=base64.b64decode(text, validate=True))
            except binascii.Error as error:
                raise RowError("the image is neither a file name nor base64", field="images") from error
        return require_image(images, found)
    raise RowError("an image is neither bytes, base64 nor a file name", field="images")
