"""`blindpo import`: read the records of any source into a data folder, and list bad ones with their reasons.

There is one importer for formats and benchmarks; the source says what differs (`source.py`). The files are read before
the folder is claimed, so a broken source leaves nothing behind. Unread keys are counted: a column with a name that the
source does not know must not disappear silently.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.download import Download
from blindpo.datasets.formats.jsonl import Line
from blindpo.datasets.keys import unused_keys, watched
from blindpo.datasets.source import Card, RowSource
from blindpo.datasets.table import find_source
from blindpo.errors import BlindpoError, ConfigError, NothingKeptError, RowError, SourceError, StrictError
from blindpo.images.decode import decode_image
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import Reject, ShardResult, Totals, run_sharded
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_shard

SHARD_RECORDS: Final = 64
REJECTS: Final = "rejects.jsonl"
_STAGE: Final = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSummary:
    """How much of a benchmark's release was imported."""

    benchmark: str
    released: int | None
    """Rows of the whole release, if its publisher states the number."""
    complete: bool | None
    """Whether these rows are the whole release; None if its size is unknown, or `only` selected some."""
    only: tuple[str, ...]
    revision: str | None
    layout: str
    checksums_kept_beside_the_data: bool
    """Whether the hashes of the files could be written into the download's folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSummary:
    """The counts of an import. A format makes one row per record, so that read = kept + rejected."""

    read: int
    """Number of records."""
    kept: int
    """Number of rows."""
    rejected: int
    """Number of records."""
    not_used: Mapping[str, int] = field(default_factory=dict)
    """Unused keys of the records with a kept row, and in how many records each occurs."""
    release: ReleaseSummary | None = None
    """None for a format."""

    def to_json(self) -> dict[str, Any]:
        """Return one flat object, for `--json` and the manifest."""
        counts = {"read": self.read, "kept": self.kept, "rejected": self.rejected}
        released = {**asdict(self.release), "rows": self.kept} if self.release else {}
        return {**counts, **released, "not_used": dict(self.not_used)}


def import_data(
    name: str, path: Path, out: Path, *, images: Path | None = None, only: Collection[str] = ()
) -> ImportSummary:
    """Read `path`, a file or folder in the layout of the source `name`, into the data folder `out`.

    `images` is the image folder of a format that names its images. `only` selects rows of a benchmark by subset or
    category. Raises UsageError that says what to do, and NothingKeptError.
    """
    source = find_source(name)
    download = _open(source, path, images, only=only)
    records = source.records(download)
    _free(out)
    folder = OutFolder(out, _identity(source, download, len(records), out=out, only=only))
    state = folder.begin()
    if state == "done":
        return _from_manifest(folder.manifest())
    if not records:
        _release(folder)
        files = ", ".join(source.files(download))
        raise SourceError(f"{path}: {files} holds no record{_what_to_fetch(source, download)}")
    work = _Importer(source, records, download, frozenset(only))
    totals = run_sharded(folder, -(-len(records) // SHARD_RECORDS), work, what=f"import {name}")
    if not totals.kept:
        raise _nothing_kept(folder, source, download, len(records), only=only)
    if source.card and state == "resume":  # another process read the shards made before the kill
        _recall_images(out, download)
    release = _release_summary(source.card, totals, only, remembered=download.remember()) if source.card else None
    not_used = {key: int(count) for key, count in totals.counts.items()}
    summary = ImportSummary(
        read=len(records), kept=totals.kept, rejected=totals.rejected, not_used=not_used, release=release
    )
    written_here = release is not None and not release.checksums_kept_beside_the_data
    folder.finish({**summary.to_json(), **({"checksums": download.hashes} if written_here else {})})
    return summary


def require_strict(summary: ImportSummary, out: Path) -> None:
    """Raise StrictError if a record was rejected, or rows of a release are missing."""
    if summary.rejected:
        raise StrictError(f"{summary.rejected} of {summary.read} records were rejected, see {out / REJECTS}")
    if summary.release and summary.release.complete is False:
        release = summary.release
        raise StrictError(f"only {summary.kept} of the {release.released} rows of {release.benchmark} were imported")


class _Importer:
    """Makes rows of one shard of records; they depend on the records alone."""

    def __init__(self, source: RowSource, records: Sequence[Any], download: Download, only: frozenset[str]) -> None:
        self.source = source
        self.records = records
        self.download = download
        self.only = only
        self.row_ids = source.row_ids(records, download)
        self.first: dict[str, int] = {}
        for number, ids in enumerate(self.row_ids):
            for row_id in ids:
                self.first.setdefault(row_id, number)
        self.decoded: dict[str, str | None] = {}
        """What is wrong with each decoded image, by its hash; None if nothing is."""

    def __call__(self, shard: int) -> ShardResult:
        rows: list[PreferenceRow] = []
        rejects: list[Reject] = []
        not_used: Counter[str] = Counter()
        start = shard * SHARD_RECORDS
        for number, record in enumerate(map(watched, self.records[start : start + SHARD_RECORDS]), start):
            before = dict(self.download.seen)
            try:
                kept = self._rows(record, number)
            except RowError as error:
                # the next download must not be compared with a broken image
                self.download.seen = before
                row_id = error.row_id or self._record_id(number)
                rejects.append(Reject(row_id=row_id, field=error.field, reason=error.reason, stage=_STAGE))
            else:
                rows += kept
                if kept:
                    not_used.update(unused_keys(record.content if isinstance(record, Line) else record))
        return ShardResult(rows=rows, rejects=rejects, counts=dict(not_used))

    def _record_id(self, number: int) -> str:
        """The id of a rejected record: that of its one row, or its number if it may have several."""
        return f"{self.source.name}-record-{number}" if self.source.card else self.row_ids[number][0]

    def _rows(self, record: Any, number: int) -> list[PreferenceRow]:
        """The rows of one record. Raises RowError if one of them cannot be used."""
        ids = self.row_ids[number]
        if any(self.first[row_id] != number for row_id in ids):
            raise RowError("a record before this one has the same id; ids must differ", field="id")
        if len(set(ids)) != len(ids):
            raise RowError("two rows of this record have the same id; ids must differ", field="id")
        rows = []
        for row in self.source.rows(record, number, self.download):
            if self._wants(row):
                require_valid(row, pair=self.source.card is None)
                self._require_images(row)
                rows.append(row)
        return rows

    def _wants(self, row: PreferenceRow) -> bool:
        return not self.only or bool(self.only & {*row.categories, row.provenance.split or ""})

    def _require_images(self, row: PreferenceRow) -> None:
        """Decode the images of a row fully, each only once for all rows that share it."""
        for image in row.images:
            key = image.sha256
            if key not in self.decoded:
                self.decoded[key] = _fault(image.data)
            reason = self.decoded[key]
            if reason is not None and self.source.card:
                reason = f"{image.file or 'the image inside the file'}: {reason}; fetch it again"
            if reason is not None:
                raise RowError(reason, field="image")


def _fault(data: bytes) -> str | None:
    try:
        decode_image(data)
    except RowError as error:
        return error.reason
    return None


def _open(source: RowSource, path: Path, images: Path | None, *, only: Collection[str]) -> Download:
    """Open the user's path. Raises ConfigError for an option without effect for this source."""
    if source.card:
        if images is not None:
            raise ConfigError(
                "--images has no effect with a benchmark, whose images are in its own folder; leave it out"
            )
        return Download(path, source.card.fetch_into(path), source.card.sha256)
    if only:
        raise ConfigError(f"--only has no effect with the format {source.name}; it is for a benchmark")
    if not path.exists():
        raise SourceError(f"{path} does not exist; give the {source.name} data that you downloaded")
    if images is not None and not images.is_dir():
        raise SourceError(f"--images {images} is not a folder; give the folder that holds the images")
    return Download.of_user(path, images)


def _identity(
    source: RowSource, download: Download, num_records: int, *, out: Path, only: Collection[str]
) -> dict[str, object]:
    """What the rows depend on: the files by hash, and the user's images, which are read later, by name and size."""
    hashes = dict(sorted(download.seen.items()))
    if source.card:
        return {
            "command": _STAGE,
            "benchmark": source.name,
            "only": sorted(only),
            "source": hashes,
            "records": num_records,
        }
    return {"command": _STAGE, "format": source.name, "source": hashes, "images": _listing(download.images, out)}


def _listing(images: Path | None, out: Path) -> dict[str, object] | None:
    if images is None:
        return None
    inside = (p for p in images.rglob("*") if p.is_file() and not p.resolve().is_relative_to(out.resolve()))
    lines = sorted(f"{path.relative_to(images)}\t{path.stat().st_size}" for path in inside)
    return {"files": len(lines), "listing": _hash(line.encode("utf-8", "replace") for line in lines)}


def _hash(blocks: Iterable[bytes]) -> str:
    digest = sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _release_summary(card: Card, totals: Totals, only: Collection[str], *, remembered: bool) -> ReleaseSummary:
    return ReleaseSummary(
        benchmark=card.name,
        released=card.num_rows,
        complete=None if card.num_rows is None or only else totals.kept == card.num_rows,
        only=tuple(sorted(only)),
        revision=card.revision,
        layout=card.layout,
        checksums_kept_beside_the_data=remembered,
    )


def _from_manifest(manifest: Mapping[str, Any]) -> ImportSummary:
    """The summary of a finished import; older folders lack some of its fields."""
    release = None
    if "benchmark" in manifest:
        fields = {name: manifest[name] for name in ReleaseSummary.__dataclass_fields__}
        release = ReleaseSummary(**{**fields, "only": tuple(fields["only"])})
    return ImportSummary(
        read=manifest["read"] if "read" in manifest else manifest["identity"]["records"],
        kept=manifest["kept"] if "kept" in manifest else manifest["rows"],
        rejected=manifest["rejected"],
        not_used=manifest.get("not_used", {}),
        release=release,
    )


def _recall_images(out: Path, download: Download) -> None:
    """Note the image hashes of all kept rows."""
    for shard in sorted(out.glob("rows-*.parquet")):
        for image in (image for row in read_shard(shard) for image in row.images if image.file is not None):
            name = str(image.file) if download.has(str(image.file)) else f"images/{image.file}"
            download.seen.setdefault(name, image.sha256)


def _nothing_kept(
    folder: OutFolder, source: RowSource, download: Download, num_records: int, *, only: Collection[str]
) -> BlindpoError:
    """The error of an import that kept no row. The folder is released; the reasons stay in it."""
    path = folder.path / REJECTS
    reasons = path.read_text(encoding="utf-8").splitlines()
    if not reasons:
        path.unlink()
    _release(folder)
    if not reasons:
        return ConfigError(
            f"--only {','.join(sorted(only))} keeps no row of {source.name}; see its categories and subsets"
        )
    return NothingKeptError(
        f"none of {num_records} records of {source.name} could be kept, see {path}; the first: {reasons[0]}"
        f"{_what_to_fetch(source, download)}"
    )


def _what_to_fetch(source: RowSource, download: Download) -> str:
    return f"; {download.fetch}" if source.card else ""


def _release(folder: OutFolder) -> None:
    """Release an --out that got no row, so that the next import can use it."""
    shutil.rmtree(folder.work, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.path.rmdir()


def _free(out: Path) -> None:
    """Remove the rejects of an earlier import that kept nothing, if the folder holds nothing else."""
    path = out / REJECTS
    if not path.is_file() or any(child != path for child in out.iterdir()):
        return
    with contextlib.suppress(ValueError), path.open(encoding="utf-8") as file:
        first = json.loads(file.readline())
        if isinstance(first, dict) and first.get("stage") == _STAGE:
            path.unlink()
