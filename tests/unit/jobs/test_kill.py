"""kill -9 at every moment that matters, then the same command: the same bytes.

A child process kills itself with SIGKILL just before or just after its n-th rename. Files appear by renames alone, so
these are all the states that a kill can leave behind, but for half-written partial files, which it leaves as well.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import Reject, ShardResult, run_sharded
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn
from blindpo.rows.shards import read_rows

NUM_SHARDS = 2
NUM_RENAMES = 1 + 3 * NUM_SHARDS + 3
"""run.json; rows, rejects and counts of each shard; rejects.jsonl, timings.json, manifest.json."""


def made(row_id: str) -> PreferenceRow:
    # not the row of the other tests: each child would import all that they import
    return PreferenceRow(
        row_id=row_id,
        prompt=(Turn(role="user", content=(IMAGE, "what is this?")),),
        images=(ImageRef(data=row_id.encode() * 50),),
        provenance=Provenance(source="test", source_row_id=row_id, dialogue_id=row_id),
    )


def work(number: int) -> ShardResult:
    reject = Reject(row_id=f"bad-{number}", field="images", reason="no image", stage="test")
    return ShardResult(rows=[made(f"{number}-{place}") for place in range(3)], rejects=[reject], counts={"seen": 4})


def command(out: Path) -> str:
    folder = OutFolder(out, {"command": "test"})
    state = folder.begin()
    if state != "done":
        totals = run_sharded(folder, NUM_SHARDS, work)
        folder.finish({"kept": totals.kept, "rejected": totals.rejected, "seen": totals.counts["seen"]})
    return state


def everything(out: Path) -> dict[str, bytes]:
    """All files, hidden and partial ones too; clock times stand in timings.json alone."""
    found = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    del found["timings.json"]
    return found


def die_at_rename(number: int, *, before: bool) -> None:
    """Let this process kill itself at its `number`-th rename, counted from 1."""
    rename = Path.replace
    calls = 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == number and before:
            os.kill(os.getpid(), signal.SIGKILL)
        moved = rename(self, target)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    Path.replace = counted  # type: ignore[method-assign]


def run_killed(out: Path, number: int, *, before: bool) -> int:
    script = (
        "from pathlib import Path; from tests.unit.jobs.test_kill import command, die_at_rename; "
        f"die_at_rename({number}, before={before}); command(Path({str(out)!r}))"
    )
    root = Path(__file__).parents[3]
    return subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert command(out) == "new"
    return everything(out)


@pytest.mark.parametrize(
    ("number", "before", "state"),
    [
        (1, True, "new"),
        (2, True, "resume"),
        (3, True, "resume"),
        (4, True, "resume"),
        (5, True, "resume"),
        (NUM_RENAMES - 2, True, "resume"),
        (NUM_RENAMES, True, "resume"),
        (NUM_RENAMES, False, "done"),
    ],
)
def test_a_run_killed_at_a_rename_ends_with_the_same_bytes(
    tmp_path: Path, whole: dict[str, bytes], number: int, before: bool, state: str
) -> None:
    out = tmp_path / "out"
    assert run_killed(out, number, before=before) == -signal.SIGKILL
    assert command(out) == state
    assert everything(out) == whole
    assert [row.row_id for row in read_rows(out)] == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]


def test_no_rename_comes_after_the_manifest(tmp_path: Path) -> None:
    assert run_killed(tmp_path / "out", NUM_RENAMES + 1, before=True) == 0
