"""`blindpo import BENCHMARK DIR --out DATA`: a download into rows that `blindpo evaluate` reads like any others.

A record or picture that cannot be used is kept aside with its reason and what to fetch; the counts say how far the
rows are the whole release, and every score of a protocol repeats it.
"""

import contextlib
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.benchmarks.base import Benchmark, Card
from blindpo.datasets.benchmarks.download import Download
from blindpo.datasets.benchmarks.table import find_benchmark
from blindpo.datasets.formats.keys import unused_keys, watched
from blindpo.errors import ConfigError, NothingKeptError, RowError, SourceError
from blindpo.images.decode import decode_image
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import Reject, ShardResult, Totals, run_sharded
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_shard

SHARD_RECORDS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSummary:
    """What an import of a benchmark did."""

    benchmark: str
    rows: int
    released: int | None
    """Rows of the whole release, where a source says so."""
    rejected: int
    complete: bool | None
    """Whether these rows are the whole release; None where nobody says how large it is, or `only` chose some."""
    only: tuple[str, ...]
    revision: str | None
    layout: str
    checksums_kept_beside_the_data: bool
    """Whether the hashes of what was read could be written into the download's folder."""
    not_used: dict[str, int] = field(default_factory=dict)
    """Keys of records with a kept row that the adapter has no use for, with how many records hold them."""


def import_benchmark(name: str, folder: Path, out: Path, *, only: Collection[str] = ()) -> BenchmarkSummary:
    """Read the benchmark `name` from `folder` into the data folder `out`.

    `only` keeps rows whose subset or one of whose categories is in it. Raises UsageError with what to fetch, and
    NothingKeptError.
    """
    benchmark = find_benchmark(name)
    fetch = benchmark.card.fetch_into(folder)
    download = Download(folder, fetch, benchmark.card.sha256)
    records = benchmark.records(download)
    if not records:
        files = ", ".join(benchmark.files(download))
        raise SourceError(f"{folder}: {files} holds no record; {fetch}")
    identity = {
        "command": "import",
        "benchmark": name,
        "only": sorted(only),
        "source": dict(sorted(download.seen.items())),
        "records": len(records),
    }
    target = OutFolder(out, identity)
    state = target.begin()
    if state == "done":
        return _summary(target.manifest())
    work = _Importer(benchmark, records, download, frozenset(only))
    totals = run_sharded(target, -(-len(records) // SHARD_RECORDS), work, what=f"import {name}")
    if not totals.kept:
        reasons = (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
        _release(target)
        if not reasons:
            raise ConfigError(f"--only {','.join(sorted(only))} keeps no row of {name}; see its categories and subsets")
        raise NothingKeptError(
            f"no row of {name} could be kept; the first of {len(reasons)} reasons: {reasons[0]}; {fetch}"
        )
    if state == "resume":  # the shards of before a kill were read by another process
        _recall(out, download)
    remembered = download.remember()
    found = _found(benchmark.card, totals, sorted(only), remembered=remembered)
    target.finish({**asdict(found), **({} if remembered else {"checksums": {**download.seen, **download.known}})})
    return found


def _found(card: Card, totals: Totals, only: Sequence[str], *, remembered: bool) -> BenchmarkSummary:
    return BenchmarkSummary(
        benchmark=card.name,
        rows=totals.kept,
        released=card.num_rows,
        rejected=totals.rejected,
        complete=None if card.num_rows is None or only else totals.kept == card.num_rows,
        only=tuple(only),
        revision=card.revision,
        layout=card.layout,
        checksums_kept_beside_the_data=remembered,
        not_used={key: int(number) for key, number in totals.counts.items()},
    )


def _summary(manifest: dict[str, Any]) -> BenchmarkSummary:
    names = BenchmarkSummary.__dataclass_fields__
    found = {"not_used": {}, **{name: manifest[name] for name in names if name in manifest}}  # older: no not_used
    return BenchmarkSummary(**{**found, "only": tuple(found["only"])})


def _recall(out: Path, download: Download) -> None:
    """Note the hashes of the pictures of all kept rows."""
    for shard in sorted(out.glob("rows-*.parquet")):
        for image in (image for row in read_shard(shard) for image in row.images if image.file is not None):
            name = str(image.file) if download.has(str(image.file)) else f"images/{image.file}"
            download.seen.setdefault(name, image.sha256)


def _release(target: OutFolder) -> None:
    """Give back an --out that got no row, so that the mended download may have it."""
    shutil.rmtree(target.work, ignore_errors=True)
    for leftover in target.path.glob("rejects.jsonl"):
        leftover.unlink()
    with contextlib.suppress(OSError):
        target.path.rmdir()


class _Importer:
    """Makes one shard of records into rows."""

    def __init__(self, benchmark: Benchmark, records: Sequence[Any], download: Download, only: frozenset[str]) -> None:
        self.benchmark = benchmark
        self.records = records
        self.download = download
        self.only = only
        self.decoded: set[str] = set()

    def __call__(self, shard: int) -> ShardResult:
        rows: list[PreferenceRow] = []
        rejects: list[Reject] = []
        not_used: Counter[str] = Counter()
        start = shard * SHARD_RECORDS
        for number, record in enumerate(map(watched, self.records[start : start + SHARD_RECORDS]), start):
            before = dict(self.download.seen)
            try:
                made = [row for row in self.benchmark.rows(record, number, self.download) if self._wanted(row)]
            except RowError as error:
                # a broken picture is not what the next download is to be held against
                self.download.seen = before
                row_id = error.row_id or f"{self.benchmark.card.name}-record-{number}"
                rejects.append(Reject(row_id=row_id, field=error.field, reason=error.reason, stage="import"))
            else:
                rows += made
                not_used.update(unused_keys(record) if made else ())
        return ShardResult(rows=rows, rejects=rejects, counts=dict(not_used))

    def _wanted(self, row: PreferenceRow) -> bool:
        """Whether --only keeps the row. Raises RowError where it is none."""
        if self.only and not self.only & {*row.categories, row.provenance.split or ""}:
            return False
        require_valid(row)
        for image in row.images:
            if image.sha256 not in self.decoded:
                try:
                    decode_image(image.data)
                except RowError as error:
                    name = image.file or "the picture inside the file"
                    raise RowError(f"{name}: {error.reason}; fetch it again", field="image") from error
                self.decoded.add(image.sha256)
        return True
