"""A folder that a benchmark was downloaded into: files by name, whole and unaltered, or an error that says what to do.

Hashes of what was read are kept beside the data in `blindpo-checksums.json` at first use; where a card pins a hash,
that one counts. A file that differs later is refused: two results under one benchmark's name must be of one benchmark.
"""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.errors import ImageError, SourceError
from blindpo.images.folder import find_image
from blindpo.jobs.manifest import read_json, write_json
from blindpo.rows.row import ImageRef

CHECKSUMS: Final = "blindpo-checksums.json"


@dataclass(slots=True)
class Download:
    """The folder, and what was read of it so far."""

    folder: Path
    fetch: str
    pinned: Mapping[str, str] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    """Hash of every file that was read, by its name in the folder."""
    known: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise SourceError(f"{self.folder} is not a folder; {self.fetch}")
        record = self.folder / CHECKSUMS
        try:
            found = read_json(record) if record.is_file() else {}
        except SourceError:
            found = None
        if not isinstance(found, dict):
            raise SourceError(
                f"{record} holds no hashes by name; delete it if the download beside it is as you fetched it"
            )
        self.known = {str(name): str(value) for name, value in found.items()}

    def has(self, name: str) -> bool:
        """Whether the file is there."""
        return (self.folder / name).is_file()

    def root(self, *markers: str) -> str:
        """The first of the folders "" and "data/" that holds one of `markers` (a repository keeps its data there)."""
        for prefix in ("", "data/"):
            if any((self.folder / f"{prefix}{marker}").exists() for marker in markers):
                return prefix
        raise self.missing(markers[0])

    def first(self, *names: str) -> str:
        """The first of `names` that is there. Raises SourceError that says what to fetch."""
        for name in names:
            if self.has(name):
                return name
        raise self.missing(names[0])

    def glob(self, *patterns: str) -> list[str]:
        """Names of all files of the first pattern that has any. Raises SourceError."""
        for pattern in patterns:
            found = sorted(path for path in self.folder.glob(pattern) if path.is_file())
            if found:
                return [str(path.relative_to(self.folder)) for path in found]
        raise self.missing(patterns[0])

    def missing(self, name: str) -> SourceError:
        """The error for a file that is not there."""
        return SourceError(f"{self.folder / name} is missing; {self.fetch}")

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises SourceError where it is missing, or not what it was."""
        path = self.folder / name
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise self.missing(name) from error
        except OSError as error:
            raise SourceError(f"{path} cannot be read ({error.strerror}); {self.fetch}") from error
        reason = self.altered(name, data)
        if reason:
            raise SourceError(f"{path} {reason}; {self.fetch}")
        return data

    def altered(self, name: str, data: bytes) -> str | None:
        """Why `data` is not the file that it was; None where it is. Notes its hash."""
        found = sha256(data).hexdigest()
        self.seen[name] = found
        for expected, when in (
            (self.pinned.get(name), "the released file"),
            (self.known.get(name), f"what was first read ({CHECKSUMS})"),
        ):
            if expected is not None and expected != found:
                return f"is not {when}: its SHA-256 is {found[:12]}..., expected {expected[:12]}..."
        return None

    def parsed(self, name: str, parse: Callable[[bytes], Any], kind: str) -> Any:
        """The content of a file under `parse`. Raises SourceError where it is cut or of another kind."""
        data = self.read(name)
        try:
            return parse(data)
        except (ValueError, KeyError, OSError, zipfile.BadZipFile, csv.Error) as error:
            reason = " ".join(str(error).split())[:120]
            raise SourceError(f"{self.folder / name} is no whole {kind} file ({reason}); {self.fetch}") from error

    def json(self, name: str) -> Any:
        """The content of a JSON file."""
        return self.parsed(name, json.loads, "JSON")

    def csv(self, name: str, *columns: str) -> list[dict[str, str | None]]:
        """The records of a CSV file that has at least `columns`."""
        return list(self.parsed(name, lambda data: _csv(data, columns), "CSV"))

    def xlsx(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """The records of a workbook's first sheet that has at least `columns`."""
        return list(self.parsed(name, lambda data: _xlsx(data, columns), "XLSX"))

    def parquet(self, name: str) -> list[dict[str, Any]]:
        """The records of a Parquet file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return list(self.parsed(name, lambda data: pq.read_table(pa.BufferReader(data)).to_pylist(), "Parquet"))

    def image(self, name: str) -> ImageRef:
        """An image by its name. Raises ImageError that names the file and what to fetch."""
        try:
            found = find_image(self.folder, name)
        except ImageError as error:
            raise ImageError(f"{name}: {error.reason}; {self.fetch}", field="image") from error
        reason = self.altered(name, found.data)
        if reason:
            raise ImageError(f"{name} {reason}; {self.fetch}", field="image")
        return found

    def remember(self) -> bool:
        """Keep the hashes of what was read for the next time; returns whether the folder could be written."""
        try:
            if not self.seen.keys() <= self.known.keys():
                write_json(self.folder / CHECKSUMS, {**self.seen, **self.known})
        except OSError:
            return False
        return True


def _csv(data: bytes, columns: tuple[str, ...]) -> list[dict[str, str | None]]:
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    records = list(reader)
    _require(columns, reader.fieldnames or ())
    return records


def _xlsx(data: bytes, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    try:
        import openpyxl
    except ImportError as error:
        raise SourceError("reading XLSX needs openpyxl; install it with: pip install 'blindpo[benchmarks]'") from error
    sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
    header, *lines = [list(line) for line in sheet.iter_rows(values_only=True)] or [[]]
    _require(columns, header)
    return [dict(zip(map(str, header), line, strict=False)) for line in lines if any(cell is not None for cell in line)]


def _require(columns: tuple[str, ...], found: Any) -> None:
    lacking = [column for column in columns if column not in found]
    if lacking:
        raise ValueError(f"it has no column {', '.join(lacking)}")
