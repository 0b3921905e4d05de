"""Folders of Parquet shards that hold rows: a shard is written whole or not at all, and read one row at a time.

Row groups are bounded in bytes, not rows, since a row carries its images: memory stays flat whatever the images are.
The same rows give the same bytes. A folder whose run was killed is not read as if it were whole.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from blindpo.errors import SourceError
from blindpo.rows.row import PreferenceRow
from blindpo.rows.schema import SCHEMA, SCHEMA_VERSION, Record, from_record, schema_like, to_record

ROW_GROUP_BYTES: Final = 32 * 2**20
READ_ROWS: Final = 64
WORK: Final = ".work"
"""Where a run keeps its state inside its output folder until it is done."""


def shard_name(number: int) -> str:
    """Return the file name of shard `number`, counted from 0."""
    return f"rows-{number:05d}.parquet"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write `path` inside, so that a kill leaves the old file or the new one, never half of one."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as sink:
        yield sink
        sink.flush()
        os.fsync(sink.fileno())
    partial.replace(path)


def write_shard(path: Path, rows: Iterable[PreferenceRow]) -> int:
    """Write `rows` to `path` through a temporary file, so that a kill leaves no half file. Returns the row count."""
    count = 0
    with whole_file(path) as sink, pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
            count += len(group)
    return count


def _groups(rows: Iterable[PreferenceRow]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for row in rows:
        record = to_record(row)
        size_of_row = _num_bytes(record)
        if group and size + size_of_row > ROW_GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(record)
        size += size_of_row
    if group:
        yield group


def _num_bytes(value: object) -> int:
    """Estimate the size of `value` in Arrow: texts and images by their length, anything else eight bytes."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_num_bytes, value.values()))
    return sum(map(_num_bytes, value)) if isinstance(value, list) else 8


def shard_paths(folder: Path) -> list[Path]:
    """List the shards of a data folder in order. Raises SourceError if there are none, or its run is unfinished."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder; give a data folder such as 'blindpo import' writes")
    if (folder / WORK / "run.json").is_file() and not (folder / "manifest.json").is_file():
        raise SourceError(f"{folder} is unfinished: the command that writes it was stopped; run that command again")
    _require_known_version(folder / "manifest.json")
    paths = sorted(folder.glob("rows-*.parquet"))
    if not paths:
        raise SourceError(f"{folder} holds no rows-*.parquet; give a data folder such as 'blindpo import' writes")
    return paths


def _require_known_version(manifest: Path) -> None:
    """Raise SourceError for a newer version, which may hold unknown fields; older versions are read."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # another program's manifest, or none: only the shards tell what they hold
    version = content.get("schema_version", 1) if isinstance(content, dict) else 1
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise SourceError(
            f"{manifest.parent} was written by a newer blindpo (schema_version {version}; this one reads up to "
            f"{SCHEMA_VERSION}); install that version"
        )


def read_rows(folder: str | Path, start: int = 0) -> Iterator[PreferenceRow]:
    """Yield the rows of a data folder in order, from row `start`, with one row group in memory at a time."""
    for path in shard_paths(Path(folder)):
        num_rows = _num_rows(path) if start else 0
        if start < num_rows or not start:
            yield from read_shard(path, start)
        start = max(start - num_rows, 0)


@dataclass(slots=True)
class RowBlocks:
    """The rows of a data folder in numbered blocks of `size`; reading blocks in rising order reads every row once."""

    data: Path
    size: int
    _rows: Iterator[PreferenceRow] | None = field(default=None, init=False)
    _next: int = field(default=0, init=False)

    def __len__(self) -> int:
        """Return the number of blocks."""
        return -(-count_rows(self.data) // self.size)

    def __call__(self, number: int) -> list[PreferenceRow]:
        """Return the rows of block `number`."""
        if self._rows is None or number != self._next:
            self._rows = read_rows(self.data, number * self.size)
        self._next = number + 1
        return list(islice(self._rows, self.size))


def read_shard(path: Path, start: int = 0, stop: int | None = None) -> Iterator[PreferenceRow]:
    """Yield rows `start` up to `stop` (by default all) of one shard; row groups outside are not read.

    Raises SourceError if the file is broken, or a column is missing or of another type.
    """
    try:
        with pq.ParquetFile(path) as file:
            missing = set(SCHEMA.names) - set(file.schema_arrow.names)
            if missing:
                raise SourceError(
                    f"{path} lacks the columns {', '.join(sorted(missing))}; write it with 'blindpo import'"
                )
            position = 0
            for group in range(file.num_row_groups):
                num_rows = file.metadata.row_group(group).num_rows
                if position + num_rows <= start or (stop is not None and position >= stop):
                    position += num_rows
                    continue
                for batch in file.iter_batches(READ_ROWS, row_groups=[group], columns=SCHEMA.names):
                    first = max(start - position, 0)
                    last = min((stop or position + READ_ROWS) - position, batch.num_rows)
                    if first < last:
                        yield from _rows_of(batch.slice(first, last - first), path)
                    position += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _rows_of(batch: pa.RecordBatch, path: Path) -> Iterator[PreferenceRow]:
    # another writer may give the same columns wider types, such as large_string
    records = pa.Table.from_batches([batch]).select(SCHEMA.names).cast(schema_like(batch.schema)).to_pylist()
    for record in records:
        try:
            row = from_record(record)
        except (TypeError, ValueError) as error:
            reason = f"a field of row '{record['row_id']}' is null or of the wrong length"
            raise SourceError(f"{path}: {reason}; write it with 'blindpo import'") from error
        yield row


def _unreadable(path: Path, error: Exception) -> SourceError:
    reason = " ".join(str(error).split())[:200]
    return SourceError(f"{path} is not a readable Parquet file of rows ({reason}); import the data again")


def count_rows(folder: Path) -> int:
    """Count the rows of a data folder from the shards' footers alone."""
    return sum(_num_rows(path) for path in shard_paths(folder))


def _num_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def data_hash(folder: Path) -> str:
    """Return the SHA-256 of a data folder's rows (names and bytes of its shards), in hex."""
    digest = sha256()
    for path in shard_paths(folder):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
