"""`blindpo export`: rows back into a format, and their pictures under the names that the source gave.

A row that the format has no way to say is left out and reported, never bent. A format that names its pictures needs
names that are plain and unique: a name that leaves the folder, or that two different pictures share, becomes the
picture's hash.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from blindpo.datasets.formats.base import Format, image_name
from blindpo.datasets.table import find_format
from blindpo.errors import NothingKeptError, OutputError, RowError
from blindpo.images.folder import is_plain_name
from blindpo.rows.row import ImageRef, PreferenceRow
from blindpo.rows.shards import read_rows, shard_paths


@dataclass(slots=True)
class ExportSummary:
    """What an export did; `left_out` gives the reason by row id."""

    rows: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def export_data(format_name: str, data: Path, out: Path, *, images: Path | None = None) -> ExportSummary:
    """Write the rows of `data` to `out` (and pictures to `images`). Raises UsageError and NothingKeptError."""
    chosen = find_format(format_name)
    shard_paths(data)
    _require_new(chosen, out, images)
    names = None if chosen.holds_images and images is None else _Names(data)
    summary = ExportSummary()

    def records() -> Iterator[Any]:
        for row in read_rows(data):
            named = replace(row, images=tuple(map(names, row.images))) if names else row
            try:
                record = chosen.to_record(row if chosen.holds_images else named)
            except RowError as error:
                summary.left_out[row.row_id] = error.reason
                continue
            if images is not None:
                _write_images(named, images)
            summary.rows += 1
            yield record

    found = records()
    first = next(found, None)
    if first is None:
        reason = next(iter(summary.left_out.values()), "the data folder holds no row")
        raise NothingKeptError(f"no row of {data} could be written as {format_name}; the first: {reason}")
    chosen.write(itertools.chain([first], found), out)
    return summary


class _Names:
    """The name of each image in the export: the source's own where it is plain and no other picture has it."""

    def __init__(self, data: Path) -> None:
        self.pictures: defaultdict[str, set[str]] = defaultdict(set)
        for row in read_rows(data):
            for image in row.images:
                self.pictures[image_name(image)].add(image.sha256)

    def __call__(self, image: ImageRef) -> ImageRef:
        name = image_name(image)
        alone = is_plain_name(name) and len(self.pictures[name]) == 1
        return replace(image, file=name if alone else image.sha256)


def _require_new(chosen: Format, out: Path, images: Path | None) -> None:
    """Refuse what is there already, and make the folders that are written to."""
    writes_folder = chosen.holds_images and out.suffix != ".parquet"
    if images is not None and not writes_folder and out.resolve() in (images.resolve(), *images.resolve().parents):
        raise OutputError(f"--out {out} is a file in {chosen.name}; put --images elsewhere, not into it")
    takes_folder = writes_folder and out.is_dir() and not any(out.iterdir())
    if out.exists() and not takes_folder:
        raise OutputError(f"--out {out} is there already; give a new path")
    for flag, folder in (("--images", images), ("--out", out.parent)):
        try:
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{flag} {folder} is no folder, nor can it be made ({error.strerror})") from error


def _write_images(row: PreferenceRow, folder: Path) -> None:
    for image in row.images:
        path = folder / image_name(image)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() and not path.is_symlink():
                path.write_bytes(image.data)
            elif path.read_bytes() != image.data:
                raise OutputError(f"--images {folder} holds another '{path.name}' already; give a new folder")
        except OSError as error:
            raise OutputError(
                f"--images {folder}: the picture of row {row.row_id} cannot be written ({error.strerror})"
            ) from error
