"""Read JSON lines, plain or gzipped, as a stream: a file may be larger than memory, and a bad line costs no other."""

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final, overload

from blindpo.datasets.keys import watched
from blindpo.errors import SourceError

MAX_LINE_BYTES: Final = 2**20
"""Longer lines cannot be dialogues; they are skipped without being held in memory, and given as None."""
SUFFIXES: Final = (".jsonl", ".jsonl.gz")


@dataclass(frozen=True)
class Line:
    """One line that is not blank: the file's name without suffixes, the line's number from 1, and its bytes."""

    stem: str
    number: int
    data: bytes | None

    @cached_property
    def content(self) -> Any:
        """The parsed JSON, its keys watched (`datasets/keys.py`). Raises ValueError or RecursionError."""
        return watched(json.loads(self.data or b""))


def stem_of(path: Path, root: Path) -> str:
    """The name of `path` below `root` without its suffixes: "harmless-base/train"."""
    name = path.name if path == root else path.relative_to(root).as_posix()
    return name.removesuffix(".gz").removesuffix(".jsonl")


def read_lines(path: Path, stem: str) -> Iterator[Line]:
    """The lines of one file in order. Raises SourceError if it cannot be read to its end."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while data := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                whole = len(data) <= MAX_LINE_BYTES
                while not data.endswith(b"\n") and (rest := file.readline(MAX_LINE_BYTES + 1)):
                    data, whole = rest, False
                if not whole or data.strip():
                    yield Line(stem, number, data.rstrip(b"\r\n") if whole else None)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(f"{path} is not whole gzip ({error}); download it again") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); give a .jsonl or .jsonl.gz file") from error


class JsonLines(Sequence[Any]):
    """The lines of several files as one sequence: fast to read in rising order, and never all in memory."""

    def __init__(self, paths: Sequence[Path], root: Path) -> None:
        self._files = [(path, stem_of(path, root)) for path in paths]
        self._length = sum(1 for path, stem in self._files for _ in read_lines(path, stem))
        self._next = 0
        self._lines = self.stream()

    def stream(self) -> Iterator[Line]:
        """All lines from the first."""
        return (line for path, stem in self._files for line in read_lines(path, stem))

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(self._length)
            return self._take(start, stop)[::step] if step > 0 else [self[n] for n in range(start, stop, step)]
        index = range(self._length)[index]
        return self._take(index, index + 1)[0]

    def _take(self, start: int, stop: int) -> list[Line]:
        if start < self._next:
            self._next, self._lines = 0, self.stream()
        lines = list(islice(self._lines, start - self._next, max(start, stop) - self._next))
        self._next = max(start, stop)
        return lines
