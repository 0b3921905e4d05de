"""`blindpo export`: write rows back in a format, and their images under the source's names.

A row that the format cannot express is left out and reported, never altered. A format that names its images needs plain
and unique names: a name that leaves the folder, or that two different images share, becomes the image's hash.
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
    """The result of an export; `left_out` gives the reason by row id."""

    rows: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def export_data(name: str, data: Path, out: Path, *, images: Path | None = None) -> ExportSummary:
    """Write the rows of `data` to `out` (and their images to `images`). Raises UsageError and NothingKeptError."""
    target = find_format(name)
    shard_paths(data)
    _require_new(target, out, images)
    names = None if target.holds_images and images is None else _Names(data)
    summary = ExportSummary()

    def records() -> Iterator[Any]:
        for row in read_rows(data):
            named = replace(row, images=tuple(map(names, row.images))) if names else row
            try:
                record = target.to_record(row if target.holds_images else named)
            except RowError as error:
                summary.left_out[row.row_id] = error.reason
                continue
            if images is not None:
                _write_images(named, images)
            summary.rows += 1
            yield record

    written = records()
    first = next(written, None)
    if first is None:
        reason = next(iter(summary.left_out.values()), "the data folder holds no row")
        raise NothingKeptError(f"no row of {data} could be written as {name}; the first: {reason}")
    target.write(itertools.chain([first], written), out)
    return summary


class _Names:
    """The name of each image in the export: the source's own if it is plain and no other image has it."""

    def __init__(self, data: Path) -> None:
        self.hashes: defaultdict[str, set[str]] = defaultdict(set)
        for row in read_rows(data):
            for image in row.images:
                self.hashes[image_name(image)].add(image.sha256)

    def __call__(self, image: ImageRef) -> ImageRef:
        name = image_name(image)
        alone = is_plain_name(name) and len(self.hashes[name]) == 1
        return replace(image, file=name if alone else image.sha256)


def _require_new(target: Format, out: Path, images: Path | None) -> None:
    """Raise OutputError if the targets exist already, and make the folders to write to."""
    writes_folder = target.holds_images and out.suffix != ".parquet"
    if images is not None and not writes_folder and out.resolve() in (images.resolve(), *images.resolve().parents):
        raise OutputError(f"--out {out} is a file in {target.name}; put --images elsewhere, not into it")
    takes_folder = writes_folder and out.is_dir() and not any(out.iterdir())
    if out.exists() and not takes_folder:
        raise OutputError(f"--out {out} exists already; give a new path")
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
                f"--images {folder}: an image of row {row.row_id} cannot be written ({error.strerror})"
            ) from error
