"""TRL's vision-preference columns (https://huggingface.co/docs/trl/dataset_formats): prompt, chosen, rejected, images.

Read from Parquet (a file or a folder), JSON or JSON lines. Content is a text or a list of `{"type": "image"}` and
`{"type": "text", "text"}` parts; with plain text TRL puts all images before the first user message, and so do we.
Without a prompt column the prompt is the common start of chosen and rejected, as in TRL. Images are structs of bytes
and path, base64 text (recognised by its first letters), or names below --images. Written as Parquet with our own
schema, which is TRL's columns and more, so that an import from such a file is written back unchanged. Unknown columns
go to `extra`.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.download import Download
from blindpo.datasets.formats.base import (
    TAG,
    Format,
    dialogue_id,
    dump,
    own_id,
    read_json_list,
    require_object,
    require_pair,
    require_response,
)
from blindpo.datasets.parquet import ParquetRecords
from blindpo.errors import RowError, SourceError
from blindpo.rows.row import IMAGE, ImageRef, Part, PreferenceRow, Provenance, Turn
from blindpo.rows.schema import SCHEMA, from_record
from blindpo.rows.shards import shard_name, write_shard

_BASE64_OF: Final = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR")
"""The beginnings of base64 of JPEG, PNG, GIF and WebP; no other text is taken for base64."""
_COLUMNS: Final = {"prompt", "chosen", "rejected", "images", "image"}


class Trl(Format):
    """The format `trl`."""

    name = "trl"
    holds_images = True

    def files(self, download: Download) -> list[str]:
        """The file, or the folder's Parquet files in order of their names."""
        if download.file is not None:
            return [download.file]
        names = sorted(path.name for path in download.folder.glob("*.parquet"))
        if not names:
            raise SourceError(
                f"{download.folder} holds no .parquet file; give such a folder, or one .parquet, .json or .jsonl"
            )
        return names

    def records(self, download: Download) -> Sequence[Any]:
        """All records of Parquet, a JSON list, or JSON lines."""
        names = self.files(download)
        if download.file is None or names[0].endswith(".parquet"):
            return download.parquet(*names)
        path = download.hashed(names[0])
        return _read_lines(path) if path.suffix == ".jsonl" else read_json_list(path)

    def record_id(self, record: Any, number: int) -> str:
        """Our own `row_id` unchanged, `trl-ID` for a plain `id`, else `trl-record-NUMBER`."""
        return own_id(record, "row_id") or super().record_id(record, number)

    def row_ids(self, records: Sequence[Any], download: Download) -> list[tuple[str, ...]]:
        """One id for each record; no image is read."""
        named = records.columns({"row_id", "id"}) if isinstance(records, ParquetRecords) else records
        return super().row_ids(named, download)

    def to_row(self, record: Any, row_id: str, download: Download) -> PreferenceRow:
        """The row of one record; a record with all of our own columns is taken unchanged."""
        known = require_object(record)
        prompt, chosen, rejected = _conversation(known)
        if set(SCHEMA.names) <= set(known):
            return _own_row(known)
        given = known.get("images") or known.get("image") or []
        images = tuple(_image(one, download) for one in (given if isinstance(given, list) else [given]))
        if images and not any(turn.num_images for turn in prompt):
            prompt = _images_first(prompt, known.get("prompt"), len(images))
        others = {key: value for key, value in known.items() if key not in _COLUMNS and value is not None}
        return PreferenceRow(
            row_id=row_id,
            prompt=prompt,
            images=images,
            chosen=chosen,
            rejected=rejected,
            provenance=Provenance(
                source=self.name,
                source_row_id=row_id.removeprefix("trl-"),
                dialogue_id=dialogue_id(*(turn.text for turn in prompt), chosen, rejected),
            ),
            extra=dump({"keys": [], "fields": others}) if others else None,
        )

    def to_record(self, row: PreferenceRow) -> PreferenceRow:
        """The row itself: our schema is TRL's."""
        require_pair(row)
        return row

    def write(self, records: Iterable[Any], out: Path) -> None:
        """Write one Parquet file: `out` itself if it ends in .parquet, else a shard in the folder `out`."""
        if out.suffix != ".parquet":
            out.mkdir(exist_ok=True)
            out = out / shard_name(0)
        write_shard(out, records)


def _read_lines(source: Path) -> list[Any]:
    try:
        # str.splitlines would also break at separators that JSON text may hold, such as U+2028
        lines = source.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line.strip()]
    except OSError as error:
        raise SourceError(f"{source} cannot be read ({error.strerror}); give a file of JSON lines") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{source} is not JSON lines ({str(error)[:120]}); download it again") from error


def _own_row(record: Mapping[str, Any]) -> PreferenceRow:
    """The row of a record with our columns. Raises RowError if the inner fields are not ours."""
    try:
        row = from_record(record)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RowError("the record has our columns, but not their types", field="record") from error
    if any(not isinstance(image.data, bytes) for image in row.images):
        raise RowError("an image has no bytes", field="images")
    return row


def _conversation(record: Mapping[str, Any]) -> tuple[tuple[Turn, ...], str, str]:
    """Prompt, chosen and rejected; without a prompt column, the turns before the two last messages."""
    if record.get("prompt") is not None:
        prompt = _turns(record["prompt"], "prompt")
        return prompt, _response(record.get("chosen"), "chosen"), _response(record.get("rejected"), "rejected")
    both = [record.get(field) for field in ("chosen", "rejected")]
    if not all(isinstance(messages, list) and len(messages) > 1 for messages in both):
        raise RowError("the field 'prompt' is missing, and chosen and rejected do not hold it", field="prompt")
    chosen, rejected = (list(messages) for messages in both if messages)
    if chosen[:-1] != rejected[:-1]:
        raise RowError("there is no prompt, and chosen and rejected begin differently", field="prompt")
    return _turns(chosen[:-1], "prompt"), _response(chosen[-1:], "chosen"), _response(rejected[-1:], "rejected")


def _turns(messages: Any, field: str) -> tuple[Turn, ...]:
    if isinstance(messages, str):
        return (Turn(role="user", content=_content(messages, field)),)
    if not isinstance(messages, list) or not messages:
        raise RowError(f"the field '{field}' is missing or no list of messages", field=field)
    turns = []
    for message in messages:
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in ("system", "user", "assistant"):
            raise RowError("a message has no role of system, user, assistant", field=field)
        turns.append(Turn(role=role, content=_content(message.get("content"), field)))
    return tuple(turns)


def _content(content: Any, field: str) -> tuple[Part, ...]:
    given = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(given, list):
        raise RowError("a message's content is neither text nor a list of parts", field=field)
    parts: list[Part] = []
    for part in given:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "image":
            parts.append(IMAGE)
        elif kind == "text" and isinstance(part.get("text"), str):
            if TAG in part["text"]:
                raise RowError(f"a text holds {TAG}; TRL marks an image by a part of type 'image'", field=field)
            parts.append(part["text"])
        else:
            raise RowError("a part of a message is neither an image nor a text", field=field)
    return tuple(parts)


def _images_first(prompt: tuple[Turn, ...], raw: Any, count: int) -> tuple[Turn, ...]:
    if isinstance(raw, list) and any(not isinstance(message["content"], str) for message in raw):
        raise RowError("there are images but no image part in the prompt", field="images")
    first = next((i for i, turn in enumerate(prompt) if turn.role == "user"), 0)
    moved = Turn(role=prompt[first].role, content=(*[IMAGE] * count, *prompt[first].content))
    return (*prompt[:first], moved, *prompt[first + 1 :])


def _response(messages: Any, field: str) -> str:
    if isinstance(messages, str):
        return require_response(messages, field)
    turns = _turns(messages, field)
    if len(turns) != 1 or turns[0].role != "assistant" or turns[0].num_images:
        raise RowError(f"'{field}' must be one assistant message of text", field=field)
    return require_response(turns[0].text, field)


def _image(given: Any, download: Download) -> ImageRef:
    data, name = (given.get("bytes"), given.get("path")) if isinstance(given, Mapping) else (None, given)
    if name is not None and not isinstance(name, str):
        raise RowError("an image's path is no text", field="images")
    if isinstance(data, bytes):
        return ImageRef(data=data, file=name)
    if isinstance(data, str):
        return ImageRef(data=_from_base64(data), file=name)
    if name is None:
        raise RowError("an image is neither bytes, base64 nor a file name", field="images")
    if name.startswith(("data:", *_BASE64_OF)):
        return ImageRef(data=_from_base64(name.partition("base64,")[2] if name.startswith("data:") else name))
    return download.image(name)


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RowError("the image is no valid base64", field="images") from error
