"""Rows made shard by shard: finished shards are never redone, rejected rows are kept aside.

A unit of work is a shard number; what it makes depends on that number alone. Its rows are renamed into place first and
its counts last, so a shard counts as done only when both are there: `kill -9` at any moment loses one shard at most,
and the same command ends with the same bytes. For the same reason it does not matter where a shard is made: here, in
another process or on another machine (`engine.py`).
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from blindpo.jobs.engine import IN_PROCESS, Engine
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.jobs.progress import progress
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import shard_name, write_shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that was not kept: which, what of it, and why. The row's text is not in it."""

    row_id: str
    field: str
    reason: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """What one unit of work made."""

    rows: Sequence[PreferenceRow]
    rejects: Sequence[Reject] = ()
    counts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all shards: rows kept and rejected, and whatever the work counted."""

    kept: int
    rejected: int
    counts: dict[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where shards go: `rows` holds the Parquet files, `state` the counts and rejects of each."""

    rows: Path
    state: Path

    def counts(self, number: int) -> Path:
        """The counts of shard `number`; written last, so that the shard is done when this is there."""
        return self.state / f"counts-{number:05d}.json"

    def rejects(self, number: int) -> Path:
        """The rejects of shard `number`, a JSON object a line."""
        return self.state / f"rejects-{number:05d}.jsonl"


@dataclass(frozen=True, slots=True)
class Job:
    """All that makes a shard, as one value that can be sent to another process."""

    place: Place
    work: Callable[[int], ShardResult]

    def __call__(self, number: int) -> int:
        """Make and store shard `number`; returns it."""
        _store(self.place, number, self.work(number))
        return number


def run_sharded(
    folder: OutFolder, num_shards: int, work: Callable[[int], ShardResult], *, what: str = "shards"
) -> Totals:
    """Make all shards that are not there yet, then merge the rejects into `rejects.jsonl`."""
    place = Place(folder.path, folder.work)
    totals = make_shards(Job(place, work), num_shards, what=what)
    merge_rejects(folder.path / "rejects.jsonl", [(place, num_shards)])
    return totals


def make_shards(job: Job, num_shards: int, *, what: str, engine: Engine = IN_PROCESS) -> Totals:
    """Make all shards of `job` that are not there yet, on `engine`; returns the sums over all."""
    missing = [number for number in range(num_shards) if not job.place.counts(number).is_file()]
    with progress(num_shards, what, done=num_shards - len(missing)) as bar:
        for _ in engine.map(job, missing):
            bar.update(1)
    return _sum(job.place, num_shards)


def _store(place: Place, number: int, result: ShardResult) -> None:
    if result.rows:
        write_shard(place.rows / shard_name(number), result.rows)
    # ASCII escapes: the id of a bad row may hold what UTF-8 cannot
    lines = [json.dumps(asdict(reject)) + "\n" for reject in result.rejects]
    write_text(place.rejects(number), "".join(lines))
    sums = {"kept": len(result.rows), "rejected": len(result.rejects), "counts": result.counts}
    write_json(place.counts(number), sums)


def _sum(place: Place, num_shards: int) -> Totals:
    kept = rejected = 0
    counts: Counter[str] = Counter()
    for number in range(num_shards):
        sums = read_json(place.counts(number))
        kept += sums["kept"]
        rejected += sums["rejected"]
        for name, count in sums["counts"].items():
            counts[name] += count
    return Totals(kept, rejected, dict(sorted(counts.items())))


def merge_rejects(path: Path, places: Sequence[tuple[Place, int]]) -> None:
    """Write the rejects of all shards of `places` (each with its number of shards) to `path`, in order."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as sink:
        for place, num_shards in places:
            for number in range(num_shards):
                sink.write(place.rejects(number).read_bytes())
        sink.flush()
        os.fsync(sink.fileno())
    partial.replace(path)
