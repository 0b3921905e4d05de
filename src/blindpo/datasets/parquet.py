"""Records of Parquet files, one row group in memory at a time, since images can exceed the machine's memory."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow as pa
import pyarrow.parquet as pq

from blindpo.errors import SourceError


class ParquetRecords(Sequence[Any]):
    """The rows of all `paths`, in order, as plain objects; `on_error` says what to do about a broken file."""

    def __init__(self, paths: Sequence[Path], *, on_error: str) -> None:
        self._on_error = on_error
        self._groups: list[tuple[Path, int]] = []
        self._starts: list[int] = []
        self._length = 0
        self._loaded: tuple[int, list[Any]] = (-1, [])
        for path in paths:
            for group, num_rows in enumerate(self._group_sizes(path)):
                self._groups.append((path, group))
                self._starts.append(self._length)
                self._length += num_rows

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._length))]
        index = range(self._length)[index]
        group = bisect_right(self._starts, index) - 1
        if self._loaded[0] != group:
            self._loaded = (group, self._read_group(*self._groups[group]))
        return self._loaded[1][index - self._starts[group]]

    def columns(self, names: set[str]) -> list[Any]:
        """Return the same rows with only the columns `names`: no image is read."""
        return [record for path, group in self._groups for record in self._read_group(path, group, names)]

    def _group_sizes(self, path: Path) -> list[int]:
        try:
            with pq.ParquetFile(path) as file:
                return [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(path, error) from error

    def _read_group(self, path: Path, group: int, names: set[str] | None = None) -> list[Any]:
        try:
            with pq.ParquetFile(path) as file:
                there = file.schema_arrow.names
                columns = there if names is None else [name for name in there if name in names]
                if not columns:
                    return [{} for _ in range(file.metadata.row_group(group).num_rows)]
                records: list[Any] = file.read_row_group(group, columns=columns).to_pylist()
                return records
        except (pa.ArrowException, OSError) as error:
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: Path, error: Exception) -> SourceError:
        return SourceError(f"{path} is not readable Parquet ({' '.join(str(error).split())[:120]}); {self._on_error}")
