"""Split long work into shards: a finished shard is never made again, wherever it was made.

A unit of work is a shard number; its result depends on that number alone. A shard's files are renamed into place, and
the file that marks the shard as complete comes last: `kill -9` at any moment loses one shard at most, and the same
command ends with the same bytes. For the same reason it does not matter where a shard is made: here, in another process
(`engine.py`), or on another machine that makes a part of the shards, whose folders are joined afterwards. The job
decides what a shard stores, rows or records.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.jobs.engine import IN_PROCESS, Engine
from blindpo.jobs.folder import OutFolder, identity_changes
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.jobs.progress import progress
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import shard_name, whole_file, write_shard

SHARDS: Final = "shards"
"""The folder in which a part keeps its shards' files until the parts are joined."""


class Job(Protocol):
    """Everything needed to make shards, as one value that can be sent to another process."""

    def files(self, number: int) -> Sequence[Path]:
        """Return the files of shard `number`; the last one is written last, so the shard is done when it exists."""

    def __call__(self, number: int) -> None:
        """Make and store shard `number`. Stores nothing and raises UnansweredError if a server did not answer."""


class ShardPart(NamedTuple):
    """The share of the shards that one machine makes: number 1 to `of`."""

    number: int
    of: int

    def numbers(self, num_shards: int) -> range:
        """Return which of `num_shards` shards, counted from 0, are in this part.

        >>> list(ShardPart(2, 3).numbers(8))
        [1, 4, 7]
        """
        return range(self.number - 1, num_shards, self.of)


WHOLE: Final = ShardPart(1, 1)


def parse_part(text: str) -> ShardPart:
    """Parse a part such as `2/4`. Raises ConfigError.

    >>> parse_part("2/4")
    ShardPart(number=2, of=4)
    """
    number, slash, of = text.partition("/")
    if not (slash and number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise ConfigError(f"--part {text}: write it as NUMBER/OF, such as 1/4 to 4/4")
    return ShardPart(int(number), int(of))


def make_shards(
    job: Job, num_shards: int, *, what: str, engine: Engine = IN_PROCESS, part: ShardPart = WHOLE, go_on: bool = False
) -> None:
    """Make the part's missing shards on `engine`.

    Raises UnansweredError if a server did not answer: at once, or with `go_on` after all other shards are made.
    """
    numbers = part.numbers(num_shards)
    missing = [number for number in numbers if not job.files(number)[-1].is_file()]
    unanswered: list[str] = []
    with progress(len(numbers), what, done=len(numbers) - len(missing)) as bar:
        for reason in engine.map(_Attempt(job, go_on), missing):
            unanswered += [] if reason is None else [reason]
            bar.update(1)
    if unanswered:
        raise UnansweredError(
            f"{len(unanswered)} of {len(numbers)} shards of responses are not complete ({unanswered[0]}); all answers "
            "are kept, and the same command asks only for the rest"
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Makes a shard, or returns why a server did not answer, so that the other shards are made nevertheless."""

    job: Job
    go_on: bool

    def __call__(self, number: int) -> str | None:
        try:
            self.job(number)
        except UnansweredError as error:
            if not self.go_on:
                raise
            return str(error)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that was not kept: its id, the field and the reason, without the row's text."""

    row_id: str
    field: str
    reason: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardResult:
    """The rows, rejects and counts of one shard."""

    rows: Sequence[PreferenceRow]
    rejects: Sequence[Reject] = ()
    counts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all shards: rows kept and rejected, and the work's own counts."""

    kept: int
    rejected: int
    counts: dict[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """The folders for shards of rows: `rows` holds the Parquet files, `state` the counts and rejects of each."""

    rows: Path
    state: Path

    def counts(self, number: int) -> Path:
        """Return the file of counts of shard `number`, which is written last."""
        return self.state / f"counts-{number:05d}.json"

    def rejects(self, number: int) -> Path:
        """Return the file of rejects of shard `number`, one JSON object per line."""
        return self.state / f"rejects-{number:05d}.jsonl"

    def files(self, number: int) -> Sequence[Path]:
        """Return the files of rows (if there are any), rejects and counts."""
        return self.rows / shard_name(number), self.rejects(number), self.counts(number)


@dataclass(frozen=True, slots=True)
class RowJob:
    """Makes shards of rows: Parquet, rejects and counts."""

    place: Place
    work: Callable[[int], ShardResult]

    def files(self, number: int) -> Sequence[Path]:
        """Return the files of rows (if there are any), rejects and counts."""
        return self.place.files(number)

    def __call__(self, number: int) -> None:
        """Make and store shard `number`."""
        result = self.work(number)
        rows, rejects, counts = self.files(number)
        if result.rows:
            write_shard(rows, result.rows)
        # ASCII escapes, since the id of a bad row may hold what UTF-8 cannot
        write_text(rejects, "".join(json.dumps(asdict(reject)) + "\n" for reject in result.rejects))
        sums = {"kept": len(result.rows), "rejected": len(result.rejects), "counts": result.counts}
        write_json(counts, sums)


def run_sharded(
    folder: OutFolder, num_shards: int, work: Callable[[int], ShardResult], *, what: str = "shards"
) -> Totals:
    """Make all shards of rows in this process, and `rejects.jsonl`; returns the sums over all shards."""
    place = Place(folder.path, folder.work)
    make_shards(RowJob(place, work), num_shards, what=what)
    merge_rejects(folder.path / "rejects.jsonl", [(place, num_shards)])
    return sum_counts(place, num_shards)


def sum_counts(place: Place, num_shards: int) -> Totals:
    """Return the sums over all shards of rows."""
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
    with whole_file(path) as sink:
        for place, num_shards in places:
            for number in range(num_shards):
                sink.write(place.rejects(number).read_bytes())


class ShardFolder(OutFolder):
    """The output folder of a run made shard by shard, or of a part of it; each part has its own identity."""

    def __init__(self, path: Path, identity: Mapping[str, object], part: ShardPart = WHOLE) -> None:
        super().__init__(path, identity if part == WHOLE else {**identity, "part": list(part)})
        self.part = part

    @property
    def shards(self) -> Path:
        """Return the folder for shards' files during the run; a part keeps them, so that it can be joined."""
        folder = self.work if self.part == WHOLE else self.path / SHARDS
        folder.mkdir(exist_ok=True)
        return folder.resolve()

    def finish_part(self, num_shards: int) -> None:
        """Mark the part as complete; `num_shards` is the number of shards of all parts together."""
        self.finish({"part": list(self.part), "shards": len(self.part.numbers(num_shards))})


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedParts:
    """All parts of one run, joined."""

    identity: dict[str, Any]
    """The identity of the whole run."""
    folders: list[Path]
    """The folders in the order of the parts' numbers."""
    num_shards: int

    def shards(self) -> Iterator[tuple[int, Path]]:
        """Yield every shard's number, and the folder that holds its files."""
        for number in range(self.num_shards):
            yield number, self.folders[number % len(self.folders)] / SHARDS


def join_parts(parts: Sequence[Path], command: str) -> JoinedParts:
    """Join the parts of one `command`. Raises SourceError that names the part that is foreign or missing."""
    if not parts:
        raise SourceError(f"no part was given; give the --out folders of 'blindpo {command} --part NUMBER/OF'")
    manifests = [(path, _part_manifest(path, command)) for path in parts]
    first, leading = manifests[0][0], _compared(manifests[0][1])
    total = leading["part"][1]
    folders: dict[int, Path] = {}
    for path, identity in ((path, _compared(manifest)) for path, manifest in manifests):
        number, of = identity["part"]
        differ = identity_changes({**leading, "part": total}, {**identity, "part": of})
        if differ:
            raise SourceError(f"{path} is part of another run than {first} (it differs in: {', '.join(differ)})")
        if number in folders:
            raise SourceError(f"{path} and {folders[number]} are both part {number}/{of}; give each part once")
        folders[number] = path
    missing = [str(number) for number in range(1, total + 1) if number not in folders]
    if missing:
        raise SourceError(f"of {total} parts these are missing: {', '.join(missing)}; give all parts")
    return JoinedParts(
        identity={key: value for key, value in leading.items() if key not in ("part", "schema_version")},
        folders=[folders[number] for number in range(1, total + 1)],
        num_shards=sum(manifest["shards"] for _, manifest in manifests),
    )


def _compared(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what parts of one run share: the identity, and the version, since versions may choose differently."""
    return {**manifest["identity"], "schema_version": manifest.get("schema_version", 1)}


def part_command(path: Path) -> str:
    """Return the command that made the part in the folder `path`. Raises SourceError if it is not a finished part."""
    return str(_part_manifest(path)["identity"]["command"])


def _part_manifest(path: Path, command: str | None = None) -> dict[str, Any]:
    manifest: dict[str, Any] = read_json(path / "manifest.json") if (path / "manifest.json").is_file() else {}
    identity = manifest.get("identity", {})
    if "part" in identity and command not in (None, identity["command"]):
        raise SourceError(f"{path} is a part of another command ('blindpo {identity['command']}'); merge each apart")
    if "part" not in identity or not (path / SHARDS).is_dir():
        how = "a command with --part NUMBER/OF" if command is None else f"'blindpo {command} --part NUMBER/OF'"
        raise SourceError(f"{path} is not a finished part; give the --out of {how}")
    return manifest
