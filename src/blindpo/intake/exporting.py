"""`blindpo export`: rows back into a format, and their pictures under the names that the source gave."""

from collections.abc import Iterator
from pathlib import Path

from blindpo.errors import NothingKeptError, OutputError, RowError
from blindpo.formats.base import image_names
from blindpo.formats.table import find_format
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows, shard_paths


def export_data(format_name: str, data: Path, out: Path, *, images: Path | None = None) -> int:
    """Write all rows of `data` to `out` (and pictures to `images`); returns how many rows. Raises UsageError."""
    chosen = find_format(format_name)
    shard_paths(data)
    if out.exists() and (out.is_dir() is False or any(out.iterdir())):
        raise OutputError(f"--out {out} is there already; give a new path")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        count = chosen.write(_rows(data, images), out)
    except RowError as error:
        raise NothingKeptError(f"{error}; this row cannot be written as {format_name}") from error
    return count


def _rows(data: Path, images: Path | None) -> Iterator[PreferenceRow]:
    for row in read_rows(data):
        if images is not None:
            _write_images(row, images)
        yield row


def _write_images(row: PreferenceRow, folder: Path) -> None:
    for name, image in image_names(row):
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise RowError("the image's name leaves the folder", row_id=row.row_id, field="image")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image.data)
