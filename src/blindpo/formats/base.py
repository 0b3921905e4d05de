"""What a format is: how its source is read into records, a record into a row, and rows back into its file."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from blindpo.errors import RowError, SourceError
from blindpo.images.folder import find_image
from blindpo.rows.row import ImageRef, PreferenceRow


class Format(Protocol):
    """One format. `read` finds the records, `to_row` makes a row of one or refuses it, `write` is the way back."""

    name: str

    def read(self, source: Path) -> list[Any]:
        """All records of `source`. Raises SourceError where the file is not of this format."""

    def to_row(self, record: Any, images: Path | None) -> PreferenceRow:
        """The row of one record. Raises RowError; nothing is guessed."""

    def record_id(self, record: Any, number: int) -> str:
        """The id that a rejected record is known by: its own, else its number."""

    def write(self, rows: Iterable[PreferenceRow], out: Path) -> int:
        """Write `rows` to `out`; returns how many."""


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
    if not isinstance(content, list):
        raise SourceError(f"{source} holds a JSON {type(content).__name__}; a list of objects is needed")
    return content


def require_object(record: Any) -> Mapping[str, Any]:
    """`record` if it is an object. Raises RowError."""
    if not isinstance(record, dict):
        raise RowError(f"the record is a JSON {type(record).__name__}, not an object", field="record")
    return record


def require_text(record: Mapping[str, Any], field: str) -> str:
    """The text of `field`. Raises RowError where it is missing, no text, or blank."""
    value = record.get(field)
    if value is None:
        raise RowError(f"the field '{field}' is missing", field=field)
    if not isinstance(value, str):
        raise RowError(f"the field '{field}' is a {type(value).__name__}, not text", field=field)
    if not value.strip():
        raise RowError(f"the field '{field}' is blank", field=field)
    return value


def require_image(images: Path | None, name: str) -> ImageRef:
    """The image `name`. Raises RowError where no folder of images was given."""
    if images is None:
        raise RowError("the row has an image; give the folder of images with --images", field="image")
    return find_image(images, name)


def dump(value: Any) -> str:
    """Compact JSON text, as kept in `extra`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def image_names(row: PreferenceRow) -> Iterator[tuple[str, ImageRef]]:
    """The row's images with the names they are exported under: the source's own, else their hash."""
    for image in row.images:
        yield image.file or image.sha256, image
