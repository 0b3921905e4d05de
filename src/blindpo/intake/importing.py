"""`blindpo import`: records of a format into rows. A bad record is kept aside with its reason, the run goes on."""

from collections import Counter
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.errors import NothingKeptError, RowError, SourceError, StrictError
from blindpo.formats.base import Format
from blindpo.formats.table import find_format
from blindpo.images.decode import decode_image
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow
from blindpo.runs.folder import OutFolder
from blindpo.runs.local import Reject, ShardResult, run_sharded

SHARD_RECORDS: Final = 256


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did: read = kept + rejected."""

    read: int
    kept: int
    rejected: int


def import_data(format_name: str, source: Path, out: Path, *, images: Path | None = None) -> ImportSummary:
    """Read `source` into the data folder `out`. Raises UsageError and NothingKeptError."""
    chosen = find_format(format_name)
    if not source.exists():
        raise SourceError(f"{source} does not exist; give the {format_name} data that you downloaded")
    if images is not None and not images.is_dir():
        raise SourceError(f"--images {images} is not a folder; give the folder that holds the pictures")
    folder = OutFolder(out, _identity(format_name, source, images))
    if folder.begin() == "done":
        return _summary(folder.manifest())
    records = chosen.read(source)
    seen = Counter(chosen.record_id(record, number) for number, record in enumerate(records))
    repeated = {row_id for row_id, count in seen.items() if count > 1}
    work = _Importer(chosen, records, images, repeated)
    totals = run_sharded(folder, -(-len(records) // SHARD_RECORDS), work, what="import")
    summary = ImportSummary(len(records), totals.kept, totals.rejected)
    if not totals.kept:
        reasons = (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
        first = f"; the first: {reasons[0]}" if reasons else " (the source holds no record)"
        raise NothingKeptError(f"none of {len(records)} rows could be kept, see {out / 'rejects.jsonl'}{first}")
    folder.finish({"read": summary.read, "kept": summary.kept, "rejected": summary.rejected})
    return summary


def require_strict(summary: ImportSummary, out: Path) -> None:
    """Raise StrictError where a row was rejected."""
    if summary.rejected:
        raise StrictError(f"{summary.rejected} of {summary.read} rows were rejected, see {out / 'rejects.jsonl'}")


class _Importer:
    """Makes one shard of records into rows; what it makes depends on the records alone."""

    def __init__(self, chosen: Format, records: list[Any], images: Path | None, repeated: set[str]) -> None:
        self.chosen = chosen
        self.records = records
        self.images = images
        self.repeated = repeated
        self.decoded: dict[str, RowError | None] = {}

    def __call__(self, shard: int) -> ShardResult:
        rows: list[PreferenceRow] = []
        rejects: list[Reject] = []
        start = shard * SHARD_RECORDS
        for number, record in enumerate(self.records[start : start + SHARD_RECORDS], start):
            row_id = self.chosen.record_id(record, number)
            try:
                rows.append(self._row(record, row_id))
            except RowError as error:
                rejects.append(Reject(row_id=row_id, field=error.field, reason=error.reason, stage="import"))
        return ShardResult(rows=rows, rejects=rejects)

    def _row(self, record: Any, row_id: str) -> PreferenceRow:
        if row_id in self.repeated:
            raise RowError("several records have this id; ids must differ", field="id")
        row = replace(self.chosen.to_row(record, self.images), row_id=row_id)
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
            raise found


def _identity(format_name: str, source: Path, images: Path | None) -> dict[str, object]:
    files = sorted(source.glob("*")) if source.is_dir() else [source]
    hashes = {path.name: sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}
    return {"command": "import", "format": format_name, "source": hashes, "images": images.name if images else None}


def _summary(manifest: dict[str, Any]) -> ImportSummary:
    return ImportSummary(manifest["read"], manifest["kept"], manifest["rejected"])
