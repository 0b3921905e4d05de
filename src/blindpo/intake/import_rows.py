"""`blindpo import`: records of a format into rows. A bad record is kept aside with its reason, the run goes on."""

import contextlib
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.formats.base import Format
from blindpo.datasets.formats.jsonl import Line
from blindpo.datasets.formats.keys import unused_keys, watched
from blindpo.datasets.formats.table import find_format
from blindpo.errors import NothingKeptError, RowError, SourceError, StrictError
from blindpo.images.decode import decode_image
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import Reject, ShardResult, run_sharded
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow

SHARD_RECORDS: Final = 64


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did: read = kept + rejected."""

    read: int
    kept: int
    rejected: int
    not_used: dict[str, int] = field(default_factory=dict)
    """Keys of kept records that the format has no use for, with how many records hold them."""


def import_data(format_name: str, source: Path, out: Path, *, images: Path | None = None) -> ImportSummary:
    """Read `source` into the data folder `out`. Raises UsageError and NothingKeptError."""
    chosen = find_format(format_name)
    if not source.exists():
        raise SourceError(f"{source} does not exist; give the {format_name} data that you downloaded")
    if images is not None and not images.is_dir():
        raise SourceError(f"--images {images} is not a folder; give the folder that holds the pictures")
    folder = OutFolder(out, _identity(chosen, source, images, out=out))
    state = folder.begin()
    if state == "done":
        return _summary(folder.manifest())
    try:
        records = chosen.read(source)
        work = _Importer(chosen, records, chosen.record_ids(records), images)
    except SourceError:
        if state == "new":
            _release(folder)
        raise
    totals = run_sharded(folder, -(-len(records) // SHARD_RECORDS), work, what="import")
    not_used = {key: int(number) for key, number in totals.counts.items()}
    summary = ImportSummary(len(records), totals.kept, totals.rejected, not_used)
    if not totals.kept:
        reasons = (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
        first = f"; the first: {reasons[0]}" if reasons else " (the source holds no record)"
        raise NothingKeptError(f"none of {len(records)} rows could be kept, see {out / 'rejects.jsonl'}{first}")
    folder.finish(asdict(summary))
    return summary


def require_strict(summary: ImportSummary, out: Path) -> None:
    """Raise StrictError where a row was rejected."""
    if summary.rejected:
        raise StrictError(f"{summary.rejected} of {summary.read} rows were rejected, see {out / 'rejects.jsonl'}")


class _Importer:
    """Makes one shard of records into rows; what it makes depends on the records alone."""

    def __init__(self, chosen: Format, records: Sequence[Any], row_ids: list[str], images: Path | None) -> None:
        self.chosen = chosen
        self.records = records
        self.row_ids = row_ids
        self.images = images
        self.first = {row_id: number for number, row_id in reversed(list(enumerate(row_ids)))}
        self.decoded: dict[str, RowError | None] = {}

    def __call__(self, shard: int) -> ShardResult:
        rows: list[PreferenceRow] = []
        rejects: list[Reject] = []
        not_used: Counter[str] = Counter()
        start = shard * SHARD_RECORDS
        for number, record in enumerate(map(watched, self.records[start : start + SHARD_RECORDS]), start):
            try:
                rows.append(self._row(record, number))
                not_used.update(unused_keys(record.content if isinstance(record, Line) else record))
            except RowError as error:
                row_id = self.row_ids[number]
                rejects.append(Reject(row_id=row_id, field=error.field, reason=error.reason, stage="import"))
        return ShardResult(rows=rows, rejects=rejects, counts=dict(not_used))

    def _row(self, record: Any, number: int) -> PreferenceRow:
        row_id = self.row_ids[number]
        if self.first[row_id] != number:
            raise RowError("a record before this one has the same id; ids must differ", field="id")
        row = replace(self.chosen.to_row(record, row_id, self.images), row_id=row_id)
        require_valid(row, pair=True)
        for image in row.images:
            self._require_picture(image.data)
        return row

    def _require_picture(self, data: bytes) -> None:
        """Decode an image in full, once for all rows that share it."""
        key = sha256(data).hexdigest()
        if key not in self.decoded:
            try:
                decode_image(data)
                self.decoded[key] = None
            except RowError as error:
                self.decoded[key] = error
        found = self.decoded[key]
        if found is not None:
            raise RowError(found.reason, field=found.field)


def _identity(chosen: Format, source: Path, images: Path | None, *, out: Path) -> dict[str, object]:
    """What the rows depend on. Pictures count by name and size: they are read once, later."""
    pictures = None
    if images is not None:
        inside = (p for p in images.rglob("*") if p.is_file() and not p.resolve().is_relative_to(out.resolve()))
        listing = sorted(f"{path.relative_to(images)}\t{path.stat().st_size}" for path in inside)
        pictures = {"files": len(listing), "listing": _hash(line.encode("utf-8", "replace") for line in listing)}
    return {
        "command": "import",
        "format": chosen.name,
        "source": {_name(path, source): _file_hash(path) for path in chosen.files(source)},
        "images": pictures,
    }


def _name(path: Path, source: Path) -> str:
    """The file's name below the source: files of several folders may share the last part."""
    return path.name if path == source else path.relative_to(source).as_posix()


def _file_hash(path: Path) -> str:
    if path.is_dir():
        raise SourceError(f"{path} is a folder; this format is one file")
    try:
        with path.open("rb") as file:
            return _hash(iter(lambda: file.read(1 << 20), b""))
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror})") from error


def _hash(blocks: Iterable[bytes]) -> str:
    digest = sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _release(folder: OutFolder) -> None:
    """Give back an --out that a broken source claimed, so that the mended source may have it."""
    shutil.rmtree(folder.work, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.path.rmdir()


def _summary(manifest: dict[str, Any]) -> ImportSummary:
    not_used = manifest.get("not_used", {})  # older folders do not say
    return ImportSummary(manifest["read"], manifest["kept"], manifest["rejected"], not_used)
