"""A folder of Parquet shards that hold rows: written whole or not at all, read one row at a time.

Row groups are bounded in bytes, not rows, since a row carries its images: memory stays flat whatever the pictures are.
The same rows give the same bytes.
"""

import os
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from blindpo.errors import SourceError
from blindpo.rows.row import PreferenceRow
from blindpo.rows.schema import SCHEMA, Record, from_record, to_record

ROW_GROUP_BYTES: Final = 32 * 2**20
READ_ROWS: Final = 64


def shard_name(number: int) -> str:
    """The file name of shard `number`, counted from 0."""
    return f"rows-{number:05d}.parquet"


def write_shard(path: Path, rows: Iterable[PreferenceRow]) -> int:
    """Write `rows` to `path` (first beside it, then renamed, so that a kill leaves no half file); returns how many."""
    partial = path.with_name(f".{path.name}.partial")
    count = 0
    with partial.open("wb") as sink:
        with pq.ParquetWriter(sink, SCHEMA, compression="zstd") as writer:
            for group in _groups(rows):
                writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
                count += len(group)
        sink.flush()
        os.fsync(sink.fileno())
    partial.replace(path)
    return count


def _groups(rows: Iterable[PreferenceRow]) -> Iterator[list[Record]]:
    group: list[Record] = []
    size = 0
    for row in rows:
        size_of_row = sum(len(image.data) for image in row.images) + 4096
        if group and size + size_of_row > ROW_GROUP_BYTES:
            yield group
            group, size = [], 0
        group.append(to_record(row))
        size += size_of_row
    if group:
        yield group


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a data folder in order. Raises SourceError where there is none, or where one is not ours."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder; give a data folder such as 'blindpo import' writes")
    paths = sorted(folder.glob("rows-*.parquet"))
    if not paths:
        raise SourceError(f"{folder} holds no rows-*.parquet; give a data folder such as 'blindpo import' writes")
    return paths


def read_rows(folder: str | Path) -> Iterator[PreferenceRow]:
    """All rows of a data folder in order, one row group in memory at a time."""
    for path in shard_paths(Path(folder)):
        yield from read_shard(path)


def read_shard(path: Path) -> Iterator[PreferenceRow]:
    """All rows of one shard. Raises SourceError where the file is not Parquet or lacks a column."""
    try:
        with pq.ParquetFile(path) as file:
            missing = set(SCHEMA.names) - set(file.schema_arrow.names)
            if missing:
                raise SourceError(
                    f"{path} lacks the columns {', '.join(sorted(missing))}; write it with 'blindpo import'"
                )
            for batch in file.iter_batches(batch_size=READ_ROWS):
                for record in batch.to_pylist():
                    yield from_record(record)
    except pa.ArrowInvalid as error:
        raise SourceError(f"{path} is not a readable Parquet file ({error}); import the data again") from error


def count_rows(folder: Path) -> int:
    """How many rows a data folder holds, from the shards' footers alone."""
    return sum(pq.read_metadata(path).num_rows for path in shard_paths(folder))


def data_hash(folder: Path) -> str:
    """Hash of a data folder's rows (names and bytes of its shards), in hex."""
    digest = sha256()
    for path in shard_paths(folder):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
