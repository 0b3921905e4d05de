"""The base of formats: it reads records from the user's files, turns a record into a row, and writes rows back."""

import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import RowError, SourceError
from blindpo.rows.row import ImageRef, PreferenceRow, Turn

TAG: Final = "<image>"


class Format(ABC):
    """A source of preference pairs that can be written back: one record is one row.

    What it reads is written back unchanged: fields that a row does not have are kept in the row's `extra`. By default a
    format is one JSON file with a list of objects; other kinds override `files` and `records`.
    """

    name: str
    card: Card | None = None
    holds_images = False
    """Whether images are inside the file; otherwise it names them, and names must be plain and unique."""

    def files(self, download: Download) -> list[str]:
        """The one JSON file."""
        return [download.one_file()]

    def records(self, download: Download) -> Sequence[Any]:
        """All records of the JSON file. Raises SourceError if it is not of this format."""
        return read_json_list(download.hashed(self.files(download)[0]))

    def record_id(self, record: Any, number: int) -> str:
        """The id of the record's row, even if the record is bad: from its own id, else from its number."""
        return f"{self.name}-{own_id(record) or f'record-{number}'}"

    def row_ids(self, records: Sequence[Any], download: Download) -> list[tuple[str, ...]]:
        """One id for each record."""
        return [(self.record_id(record, number),) for number, record in enumerate(records)]

    def rows(self, record: Any, number: int, download: Download) -> Iterator[PreferenceRow]:
        """The one row of the record."""
        row_id = self.record_id(record, number)
        yield replace(self.to_row(record, row_id, download), row_id=row_id)

    @abstractmethod
    def to_row(self, record: Any, row_id: str, download: Download) -> PreferenceRow:
        """The row of one record. Raises RowError; nothing is guessed."""

    @abstractmethod
    def to_record(self, row: PreferenceRow) -> Any:
        """The record of `row`. Raises RowError if the format cannot express it."""

    @abstractmethod
    def write(self, records: Iterable[Any], out: Path) -> None:
        """Write the records to `out`."""


def read_json_list(source: Path) -> list[Any]:
    """A JSON file that holds a list. Raises SourceError that names the file and what is allowed."""
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"{source} cannot be read ({error.strerror}); give the JSON file of the data set") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{source} is not UTF-8 text; give the JSON file of the data set") from error
    except ValueError as error:
        raise SourceError(f"{source} is not whole JSON ({error}); download it again") from error
    except RecursionError as error:
        raise SourceError(f"{source} is JSON nested too deeply to be preference data; give another file") from error
    if not isinstance(content, list):
        kind = "object" if isinstance(content, dict) else type(content).__name__
        raise SourceError(f"{source} holds a JSON {kind}; a list of objects, one per row, is needed")
    return content


def require_object(record: Any) -> Mapping[str, Any]:
    """Return `record` if it is an object of texts that UTF-8 can hold. Raises RowError if not."""
    if not isinstance(record, dict):
        raise RowError(f"the record is a JSON {type(record).__name__}, not an object", field="record")
    for field, value in record.items():
        try:
            # JSON escapes may hold half of a surrogate pair
            json.dumps([field, value], ensure_ascii=False, default=repr).encode()
        except UnicodeEncodeError as error:
            name = field.encode("ascii", "backslashreplace").decode()
            raise RowError("the text holds half of a surrogate pair, which is no character", field=name) from error
        except RecursionError as error:
            raise RowError("the field is nested too deeply", field=field) from error
    return record


def require_text(record: Mapping[str, Any], field: str) -> str:
    """The text of `field`. Raises RowError if it is missing, not text, or blank."""
    value = optional_text(record, field)
    if value is None:
        raise RowError(f"the field '{field}' is missing", field=field)
    if not value.strip():
        raise RowError(f"the field '{field}' is blank", field=field)
    return value


def optional_text(record: Mapping[str, Any], field: str) -> str | None:
    """The text of `field`, None if it is missing or null. Raises RowError if it is not text."""
    value = record.get(field)
    if value is not None and not isinstance(value, str):
        raise RowError(f"the field '{field}' is a {type(value).__name__}, not text", field=field)
    return value


def require_response(text: str, field: str) -> str:
    """Return `text` if it can be a response. Raises RowError if it is blank or holds an image tag."""
    if not text.strip():
        raise RowError("the response is blank", field=field)
    if TAG in text:
        raise RowError(f"the response holds {TAG}; an image belongs to the prompt", field=field)
    return text


def require_pair(row: PreferenceRow) -> tuple[str, str]:
    """The chosen and the rejected response of a row. Raises RowError if one is missing."""
    if row.chosen is None or row.rejected is None:
        missing = "chosen" if row.chosen is None else "rejected"
        raise RowError("the row has no pair of responses", row_id=row.row_id, field=missing)
    return row.chosen, row.rejected


def own_id(record: Any, key: str = "id") -> str | None:
    """The record's own id as text; None if it has none (true and false do not count)."""
    value = record.get(key) if isinstance(record, dict) else None
    return str(value) if type(value) in (int, str) and value != "" else None


def dialogue_id(*texts: str) -> str:
    """One id for all rows with the same texts, since rows made from one dialogue must stay in one split."""
    return sha256(dump(texts).encode()).hexdigest()[:16]


def dump(value: Any) -> str:
    """Compact JSON text, as kept in `extra`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)


def kept_fields(row: PreferenceRow, source: str) -> tuple[list[str], dict[str, Any]]:
    """Key order and fields that the importer of `source` kept in `extra`; empty for rows from elsewhere."""
    if row.extra is None or row.provenance.source != source:
        return [], {}
    extra = json.loads(row.extra)
    return extra["keys"], extra["fields"]


def keep(row: PreferenceRow, record: Mapping[str, Any], written: Mapping[str, Any]) -> PreferenceRow:
    """Return `row` with `extra` for its export: the order of keys, and fields that `written` lacks or changes."""
    fields = {key: value for key, value in record.items() if key not in written or dump(written[key]) != dump(value)}
    return replace(row, extra=dump({"keys": list(record), "fields": fields}))


def image_name(image: ImageRef) -> str:
    """The name of an image in a record: the source's own, else its hash."""
    return image.file or image.sha256


def merged(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return `turns` with neighbouring texts joined, since a single string cannot tell them apart."""
    return tuple(
        replace(turn, content=tuple(
            part
            for is_text, parts in itertools.groupby(turn.content, lambda part: isinstance(part, str))
            for part in (filter(None, ["".join(map(str, parts))]) if is_text else parts)
        ))
        for turn in turns
    )  # fmt: skip
