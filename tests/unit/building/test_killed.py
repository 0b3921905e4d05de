"""kill -9 at any moment of a build, then the same command: the same bytes, whatever engine goes on.

As in tests/unit/jobs/test_kill.py, a child kills itself before its n-th rename; files become visible by renames alone.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.folder_bytes import contents
from tests.unit.building.worlds import DIALOGUES, dialogue, write_catalogue, write_lines

from blindpo.cli.main import main

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from tests.killing import die_at_rename
from blindpo.cli.main import main
number = int(sys.argv[1])
if number:
    die_at_rename(number, before=True)
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    write_catalogue(folder / "cat")
    write_lines(folder / "hh" / "train.jsonl", [*DIALOGUES, dialogue("Is Port Quill far?"), "{"])
    write_lines(folder / "hh" / "test.jsonl", [dialogue("Is Port Quill near?")])
    assert main(words(folder, folder / "whole")) == 0
    return folder


def words(world: Path, out: Path, workers: int = 1) -> list[str]:
    return [
        "build", str(world / "hh"), "--catalogue", str(world / "cat"), "--out", str(out),
        "--workers", str(workers), "--set", "shard_dialogues=4",
    ]  # fmt: skip


def start(number: int, given: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(number), *given], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("number", [2, 8, 17, 31])
def test_killed_at_a_rename(world: Path, tmp_path: Path, number: int) -> None:
    child = start(number, words(world, tmp_path / "out"))
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    assert main(words(world, tmp_path / "out")) == 0
    assert contents(tmp_path / "out") == contents(world / "whole")


def test_killed_three_times_with_workers_that_die_too(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(3):
        child = start(0, words(world, out, workers=2))
        time.sleep(1.0)
        child.send_signal(signal.SIGKILL)
        child.communicate()  # returns when no process holds the pipes: the workers are gone as well
    assert main(words(world, out, workers=2)) == 0
    assert contents(out) == contents(world / "whole")


def test_one_command_at_its_end_says_the_same_again(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(world / "whole")
    capsys.readouterr()
    assert main(words(world, world / "whole")) == 0
    assert "distinct images" in capsys.readouterr().out
    assert contents(world / "whole") == before
    assert os.path.exists(world / "whole" / "train")  # noqa: PTH110 - a link or folder, both will do
