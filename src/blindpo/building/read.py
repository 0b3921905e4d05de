"""Stage 1, read: turn the source into shards of text-only dialogues, each readable on its own and repeatedly.

There are two kinds of source. HH-RLHF files are first split into pieces of lines (compressed files cannot be read from
the middle). A data folder, such as `blindpo import` writes from any format, is read in place; if a row has an image
already, its textual twin is the dialogue (so the released rows can be built again from their `text_prompt`).
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import pyarrow.parquet as pq

from blindpo.datasets.formats.hh_rlhf import HHRLHF, line_id, text_files
from blindpo.datasets.formats.jsonl import SUFFIXES, Line, read_lines, stem_of
from blindpo.errors import RowError, SourceError
from blindpo.jobs.manifest import read_json, write_json
from blindpo.jobs.progress import progress
from blindpo.jobs.shards import Reject
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import data_hash, read_shard, shard_paths

STAGE: Final = "read"


class Read(NamedTuple):
    """One shard of the source: dialogues with their position in the shard, and rejects for what could not be read."""

    rows: list[tuple[int, PreferenceRow]]
    rejects: list[Reject]
    size: int


class Reader(Protocol):
    """A source in shards of bounded size."""

    def identity(self) -> dict[str, str]:
        """Return hashes of what is read, by name."""

    def split(self, work: Path, size: int) -> int:
        """Prepare shards of at most `size` dialogues; returns their number. Done once for all processes."""

    def shard(self, number: int) -> Read:
        """Read shard `number`, after `split`."""


def find_reader(source: Path) -> Reader:
    """Return the reader of `source`. Raises SourceError that says what is allowed."""
    if not source.exists():
        raise SourceError(f"{source} does not exist; give HH-RLHF files (.jsonl, .jsonl.gz) or a data folder")
    if source.is_dir() and (any(source.glob("rows-*.parquet")) or (source / "manifest.json").is_file()):
        shard_paths(source)
        return FolderReader(source)
    if source.is_dir() or source.name.endswith(SUFFIXES):
        text_files(source)
        return LinesReader(source)
    raise SourceError(
        f"{source} is not a .jsonl or .jsonl.gz file or a data folder; read other formats with 'blindpo import' first"
    )


class LinesReader:
    """HH-RLHF: a .jsonl or .jsonl.gz file, or a folder of them."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._pieces: Path | None = None

    def identity(self) -> dict[str, str]:
        """Return the hash of every file."""
        return {stem_of(path, self._source): _file_hash(path) for path in text_files(self._source)}

    def split(self, work: Path, size: int) -> int:
        """Write pieces of `size` lines below `work`, unless an earlier run finished that."""
        self._pieces = work / "source"
        done = self._pieces / "cut.json"
        if done.is_file():
            return int(read_json(done)["shards"])
        self._pieces.mkdir(parents=True, exist_ok=True)
        lines = (n for path in text_files(self._source) for n in read_lines(path, stem_of(path, self._source)))
        shards = 0
        with progress(0, "lines") as bar:
            while piece := list(islice(lines, size)):
                _write_piece(self._pieces / f"{shards:05d}.lines", piece)
                shards += 1
                bar.update(len(piece))
        write_json(done, {"shards": shards})
        return shards

    def shard(self, number: int) -> Read:
        """Return the rows of one piece; each bad line is a reject with its code."""
        assert self._pieces is not None, "split comes first"
        rows: list[tuple[int, PreferenceRow]] = []
        rejects: list[Reject] = []
        count = 0
        for position, line in _read_piece(self._pieces / f"{number:05d}.lines"):
            count += 1
            try:
                row = HHRLHF().to_row(line, line_id(line), None)
                require_valid(row, pair=True)
                rows.append((position, replace(row, extra=None)))
            except RowError as error:
                rejects.append(_rejected(line_id(line), error))
        return Read(rows, rejects, count)


def _write_piece(path: Path, lines: Sequence[Line]) -> None:
    """Write per line a JSON head, a tab and the raw bytes."""
    with path.open("wb") as file:
        for line in lines:
            head = json.dumps([line.stem, line.number, line.data is not None]).encode()
            file.write(head + b"\t" + (line.data or b"") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _read_piece(path: Path) -> Iterator[tuple[int, Line]]:
    """Yield the lines of a piece, each with its position in the piece."""
    with path.open("rb") as file:
        for position, raw in enumerate(file):
            head, _, data = raw.rstrip(b"\n").partition(b"\t")
            stem, number, whole = json.loads(head)
            yield position, Line(stem, number, data if whole else None)


@dataclass(frozen=True, slots=True)
class _Range:
    path: Path
    start: int
    stop: int


class FolderReader:
    """A data folder of any import, read as text-only dialogues."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ranges: list[_Range] = []

    def identity(self) -> dict[str, str]:
        """Return the hash of the folder's rows."""
        return {"rows": data_hash(self._folder)}

    def split(self, work: Path, size: int) -> int:
        """List ranges of at most `size` rows within one file; nothing is written."""
        self._ranges = []
        for path in shard_paths(self._folder):
            num_rows = pq.read_metadata(path).num_rows
            self._ranges += [_Range(path, n, min(n + size, num_rows)) for n in range(0, num_rows, size)]
        return len(self._ranges)

    def shard(self, number: int) -> Read:
        """Return the dialogues of one range; a row without one is a reject."""
        part = self._ranges[number]
        rows: list[tuple[int, PreferenceRow]] = []
        rejects: list[Reject] = []
        for position, row in enumerate(read_shard(part.path, part.start, part.stop)):
            try:
                dialogue = text_only(row)
                require_valid(dialogue, pair=True)
                rows.append((position, dialogue))
            except RowError as error:
                rejects.append(_rejected(row.row_id, error))
        return Read(rows, rejects, part.stop - part.start)


def text_only(row: PreferenceRow) -> PreferenceRow:
    """Return the dialogue of a row without its image. Raises RowError if it has an image and no textual twin."""
    if row.images and row.text_prompt is None:
        raise RowError("has-image: the row has an image already, and no textual twin", field="images")
    prompt = row.text_prompt if row.images and row.text_prompt is not None else row.prompt
    kept: dict[str, Any] = {"label": row.label, "provenance": row.provenance, "categories": row.categories}
    return PreferenceRow(
        row_id=row.row_id, prompt=prompt, chosen=row.chosen, rejected=row.rejected,
        more_rejected=row.more_rejected, **kept,
    )  # fmt: skip


def _rejected(row_id: str, error: RowError) -> Reject:
    return Reject(row_id=row_id, field=error.field, reason=error.reason, stage=STAGE)


def _file_hash(path: Path) -> str:
    digest = sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror})") from error
    return digest.hexdigest()
