"""Rows made shard by shard on one machine: finished shards are never redone, rejected rows are kept aside.

A unit of work is a shard number; what it makes depends on that number alone. Its rows are renamed into place first and
its counts last, so a shard counts as done only when both are there: `kill -9` at any moment loses one shard at most,
and the same command ends with the same bytes.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import shard_name, write_shard
from blindpo.runs.folder import OutFolder
from blindpo.runs.manifest import read_json, write_json, write_text
from blindpo.runs.progress import progress


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


def run_sharded(
    folder: OutFolder, num_shards: int, work: Callable[[int], ShardResult], *, what: str = "shards"
) -> Totals:
    """Make all shards that are not there yet, then merge the rejects into `rejects.jsonl`."""
    missing = [number for number in range(num_shards) if not _counts_path(folder, number).is_file()]
    with progress(num_shards, what, done=num_shards - len(missing)) as bar:
        for number in missing:
            _store(folder, number, work(number))
            bar.update(1)
    return _merge(folder, num_shards)


def _counts_path(folder: OutFolder, number: int) -> Path:
    return folder.work / f"counts-{number:05d}.json"


def _rejects_path(folder: OutFolder, number: int) -> Path:
    return folder.work / f"rejects-{number:05d}.jsonl"


def _store(folder: OutFolder, number: int, result: ShardResult) -> None:
    if result.rows:
        write_shard(folder.path / shard_name(number), result.rows)
    # ASCII escapes: the id of a bad row may hold what UTF-8 cannot
    lines = [json.dumps(asdict(reject)) + "\n" for reject in result.rejects]
    write_text(_rejects_path(folder, number), "".join(lines))
    sums = {"kept": len(result.rows), "rejected": len(result.rejects), "counts": result.counts}
    write_json(_counts_path(folder, number), sums)


def _merge(folder: OutFolder, num_shards: int) -> Totals:
    kept = rejected = 0
    counts: Counter[str] = Counter()
    texts = []
    for number in range(num_shards):
        sums = read_json(_counts_path(folder, number))
        kept += sums["kept"]
        rejected += sums["rejected"]
        for name, count in sums["counts"].items():
            counts[name] += count
        texts.append(_rejects_path(folder, number).read_text(encoding="utf-8"))
    write_text(folder.path / "rejects.jsonl", "".join(texts))
    return Totals(kept, rejected, dict(sorted(counts.items())))
