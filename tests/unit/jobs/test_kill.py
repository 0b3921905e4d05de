"""kill -9 at every moment that matters, then the same command: the same bytes.

A child process kills itself with SIGKILL just before or just after its n-th rename. Files appear by renames alone, so
these are all the states that a kill can leave behind, but for half-written partial files, which it leaves as well.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.folder_bytes import contents
from tests.unit.jobs.sharded import NUM_SHARDS, command

from blindpo.rows.shards import read_rows

NUM_RENAMES = 1 + 3 * NUM_SHARDS + 3
"""run.json; rows, rejects and counts of each shard; rejects.jsonl, timings.json, manifest.json."""


def run_killed(out: Path, number: int, *, before: bool) -> int:
    script = (
        "from pathlib import Path; from tests.killing import die_at_rename; "
        "from tests.unit.jobs.sharded import command; "
        f"die_at_rename({number}, before={before}); command(Path({str(out)!r}))"
    )
    root = Path(__file__).parents[3]
    return subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert command(out) == "new"
    return contents(out)


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
    assert contents(out) == whole
    assert [row.row_id for row in read_rows(out)] == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]


def test_no_rename_comes_after_the_manifest(tmp_path: Path) -> None:
    assert run_killed(tmp_path / "out", NUM_RENAMES + 1, before=True) == 0
