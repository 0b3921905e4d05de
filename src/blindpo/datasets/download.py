"""Read the files of a source by name: complete and unaltered, or an error says what to do.

A benchmark's files must match their hashes: these are stored beside the data in `blindpo-checksums.json` at first use,
but a hash pinned by the card comes first. A file that differs later is refused, since two results under one benchmark's
name must be of one benchmark. The user's own files, read as a format, may change: their hashes are only noted.
"""

import contextlib
import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.parquet import ParquetRecords
from blindpo.errors import ImageError, RowError, SourceError
from blindpo.images.folder import find_image
from blindpo.jobs.manifest import read_json, write_json
from blindpo.rows.row import ImageRef

CHECKSUMS: Final = "blindpo-checksums.json"


@dataclass(slots=True)
class Download:
    """The user's folder, or one file of it, and the hashes of what was read so far."""

    folder: Path
    fetch: str
    """What to do if something is missing or broken; ends error messages."""
    pinned: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    """The one file that the user named; None if the user named the folder."""
    images: Path | None = None
    """The image folder for the user's own files; a benchmark's images are in its own folder."""
    held: bool = True
    """Whether files must match the hashes of their first use."""
    seen: dict[str, str] = field(default_factory=dict)
    """Hash of every file read, by its name in the folder."""
    known: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise SourceError(f"{self.folder} is not a folder; {self.fetch}")
        if not self.held:
            return
        record = self.folder / CHECKSUMS
        try:
            content = read_json(record) if record.is_file() else {}
        except SourceError:
            content = None
        if not isinstance(content, dict):
            raise SourceError(
                f"{record} does not map names to hashes; delete it if the download beside it is as you fetched it"
            )
        self.known = {str(name): str(value) for name, value in content.items()}

    @classmethod
    def of_user(cls, path: Path, images: Path | None = None) -> "Download":
        """A file or folder of the user's own, with the folder of its images."""
        folder, file = (path, None) if path.is_dir() else (path.parent, path.name)
        return cls(folder, "download it again", file=file, images=images, held=False)

    @property
    def path(self) -> Path:
        """The file or folder that the user named."""
        return self.folder / self.file if self.file is not None else self.folder

    @property
    def hashes(self) -> dict[str, str]:
        """Every known hash by file name; that of the first use wins."""
        return {**self.seen, **self.known}

    def one_file(self) -> str:
        """The name of the one file that the user named. Raises SourceError for a folder."""
        if self.file is None:
            raise SourceError(f"{self.folder} is a folder; this format is one file")
        return self.file

    def has(self, name: str) -> bool:
        """Whether the file exists."""
        return (self.folder / name).is_file()

    def root(self, *markers: str) -> str:
        """The first of the folders "" and "data/" that holds one of `markers` (a repository keeps its data there)."""
        for prefix in ("", "data/"):
            if any((self.folder / f"{prefix}{marker}").exists() for marker in markers):
                return prefix
        raise self.missing(markers[0])

    def first(self, *names: str) -> str:
        """The first of `names` that exists. Raises SourceError that says what to fetch."""
        for name in names:
            if self.has(name):
                return name
        raise self.missing(names[0])

    def glob(self, *patterns: str) -> list[str]:
        """Names of all files that match the first pattern with a match. Raises SourceError."""
        for pattern in patterns:
            paths = sorted(path for path in self.folder.glob(pattern) if path.is_file())
            if paths:
                return [str(path.relative_to(self.folder)) for path in paths]
        raise self.missing(patterns[0])

    def missing(self, name: str) -> SourceError:
        """The error for a missing file."""
        return SourceError(f"{self.folder / name} is missing; {self.fetch}")

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises SourceError if it is missing or has changed."""
        with self._readable(name):
            data = (self.folder / name).read_bytes()
        self._require_same(name, sha256(data).hexdigest())
        return data

    def hashed(self, name: str) -> Path:
        """Note the hash of a file that is then read piece by piece, and return its path. Raises SourceError."""
        path = self.folder / name
        with self._readable(name), path.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        self._require_same(name, digest)
        return path

    @contextlib.contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise self.missing(name) from error
        except OSError as error:
            raise SourceError(f"{self.folder / name} cannot be read ({error.strerror}); {self.fetch}") from error

    def _require_same(self, name: str, digest: str) -> None:
        reason = self._altered(name, digest)
        if reason:
            raise SourceError(f"{self.folder / name} {reason}; {self.fetch}")

    def _altered(self, name: str, digest: str) -> str | None:
        """Note the hash; return how it differs from the expected one, or None."""
        self.seen[name] = digest
        for expected, when in (
            (self.pinned.get(name), "the released file"),
            (self.known.get(name), f"what was first read ({CHECKSUMS})"),
        ):
            if expected is not None and expected != digest:
                return f"is not {when}: its SHA-256 is {digest[:12]}..., expected {expected[:12]}..."
        return None

    def parsed(self, name: str, parse: Callable[[bytes], Any], kind: str) -> Any:
        """The result of `parse` on a file. Raises SourceError if the file is truncated or of another kind."""
        data = self.read(name)
        try:
            return parse(data)
        except (ValueError, KeyError, OSError, RecursionError, zipfile.BadZipFile, csv.Error) as error:
            reason = " ".join(str(error).split())[:120]
            raise SourceError(f"{self.folder / name} is not a complete {kind} file ({reason}); {self.fetch}") from error

    def json(self, name: str) -> Any:
        """The content of a JSON file."""
        return self.parsed(name, json.loads, "JSON")

    def json_list(self, name: str) -> list[Any]:
        """The content of a JSON file that holds a list. Raises SourceError if it holds anything else."""
        content = self.json(name)
        if not isinstance(content, list):
            raise SourceError(f"{self.folder / name} is not a JSON list; {self.fetch}")
        return content

    def csv(self, name: str, *columns: str) -> list[dict[str, str | None]]:
        """The records of a CSV file that has at least `columns`."""
        return list(self.parsed(name, lambda data: _csv(data, columns), "CSV"))

    def xlsx(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """The records of a workbook's first sheet that has at least `columns`."""
        return list(self.parsed(name, lambda data: _xlsx(data, columns), "XLSX"))

    def parquet(self, *names: str) -> ParquetRecords:
        """The records of Parquet files, in order, one row group in memory at a time."""
        return ParquetRecords([self.hashed(name) for name in names], on_error=self.fetch)

    def image(self, name: str) -> ImageRef:
        """The image called `name`. Raises ImageError that names the file and what to fetch."""
        if not self.held:
            if self.images is None:
                raise RowError("the row has an image; give the folder of images with --images", field="image")
            return find_image(self.images, name)
        try:
            image = find_image(self.folder, name)
        except ImageError as error:
            raise ImageError(f"{name}: {error.reason}; {self.fetch}", field="image") from error
        reason = self._altered(name, image.sha256)
        if reason:
            raise ImageError(f"{name} {reason}; {self.fetch}", field="image")
        return image

    def remember(self) -> bool:
        """Store the hashes of what was read for later use; returns whether the folder could be written."""
        try:
            if not self.seen.keys() <= self.known.keys():
                write_json(self.folder / CHECKSUMS, self.hashes)
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


def _require(columns: tuple[str, ...], header: Any) -> None:
    lacking = [column for column in columns if column not in header]
    if lacking:
        raise ValueError(f"it has no column {', '.join(lacking)}")
