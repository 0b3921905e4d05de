"""Shards are made once: by several workers, in parts, past a server that does not answer, and after kill -9."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.unit.jobs.jobs import Logged, Unanswered, made_numbers

from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.jobs.engine import Engine
from blindpo.jobs.shards import (
    ShardFolder,
    ShardPart,
    join_parts,
    make_shards,
    parse_part,
)


def test_parts_hold_every_shard_once() -> None:
    for of in (1, 2, 3, 7):
        numbers = [number for part in range(1, of + 1) for number in ShardPart(part, of).numbers(5)]
        assert sorted(numbers) == [0, 1, 2, 3, 4]
    for words in ("3/2", "0/2", "half", "1/x", "1/"):
        with pytest.raises(ConfigError, match="--part"):
            parse_part(words)


def test_a_shard_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    job = Logged(tmp_path)
    make_shards(job, 5, what="test", part=ShardPart(2, 2))
    assert made_numbers(tmp_path) == [1, 3]
    make_shards(job, 5, what="test")
    assert made_numbers(tmp_path) == [1, 3, 0, 2, 4]
    make_shards(job, 5, what="test", engine=Engine(workers=2))
    assert len(made_numbers(tmp_path)) == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_a_shard_without_an_answer_is_asked_again_alone(tmp_path: Path, workers: int) -> None:
    engine = Engine(workers=workers)
    with pytest.raises(UnansweredError, match=r"1 of 4 shards .*server is down.* asks only for the rest"):
        make_shards(Unanswered(tmp_path), 4, what="test", engine=engine, go_on=True)
    assert sorted(made_numbers(tmp_path)) == [0, 2, 3]
    make_shards(Logged(tmp_path), 4, what="test", engine=engine, go_on=True)
    assert sorted(made_numbers(tmp_path)) == [0, 1, 2, 3]


def test_without_going_on_the_first_missing_answer_ends_the_work(tmp_path: Path) -> None:
    with pytest.raises(UnansweredError, match=r"^the server is down$"):
        make_shards(Unanswered(tmp_path), 4, what="test")
    assert made_numbers(tmp_path) == [0]


def test_kill_9_with_workers_loses_the_shards_in_flight_alone(tmp_path: Path) -> None:
    """Equal bytes cannot see work that was done twice, so each making of a shard is counted."""
    script = (
        "from pathlib import Path; from blindpo.jobs.engine import Engine; from blindpo.jobs.shards import make_shards;"
        "from tests.unit.jobs.jobs import Logged\n"
        f"if __name__ == '__main__': make_shards(Logged(Path({str(tmp_path)!r}), 0.1), 40, what='x', "
        "engine=Engine(workers=2))"
    )
    program = tmp_path / "program.py"
    program.write_text(script)
    root = Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, program], env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("shard-*"))) < 4 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    time.sleep(0.5)  # the workers see that their parent is gone
    stored = {int(path.name.removeprefix("shard-")) for path in tmp_path.glob("shard-*")}
    before = made_numbers(tmp_path)
    assert 4 <= len(stored) < 40
    make_shards(Logged(tmp_path), 40, what="x")
    again = made_numbers(tmp_path)[len(before) :]
    assert sorted(again) == sorted(set(range(40)) - stored), "a stored shard was made again"
    assert len(set(before) - stored) <= 2, "more was lost than what the two workers were at"


def part(out: Path, number: int, of: int, *, seed: int = 1, shards: int = 3) -> Path:
    """A finished part whose shards are empty files."""
    share = ShardPart(number, of)
    folder = ShardFolder(out, {"command": "test", "config": {"seed": seed}}, share)
    folder.begin()
    for shard in share.numbers(shards):
        (folder.shards / f"shard-{shard}").touch()
    folder.finish_part(shards)
    return out


def test_parts_are_joined_in_the_order_of_the_shards(tmp_path: Path) -> None:
    two, one = part(tmp_path / "two", 2, 2), part(tmp_path / "one", 1, 2)
    joined = join_parts([two, one], "test")
    assert joined.identity == {"command": "test", "config": {"seed": 1}}
    assert list(joined.shards()) == [(0, one / "shards"), (1, two / "shards"), (2, one / "shards")]


def test_a_part_that_does_not_belong_is_named(tmp_path: Path) -> None:
    one, other = part(tmp_path / "one", 1, 2), part(tmp_path / "other", 2, 2, seed=2)
    unfinished = ShardFolder(tmp_path / "unfinished", {"command": "test", "config": {"seed": 1}}, ShardPart(2, 2))
    unfinished.begin()
    whole = ShardFolder(tmp_path / "whole", {"command": "test"})
    assert whole.begin() == "new" and whole.shards == whole.work
    whole.finish({})
    for parts, words in (
        ([], "no part was given"),
        ([one], "missing: 2"),
        ([one, one], "both part 1/2"),
        ([one, other], "differs in: config.seed: 1 -> 2"),
        ([one, whole.path], "not a finished part"),
        ([one, unfinished.path], "not a finished part"),
    ):
        with pytest.raises(SourceError, match=words):
            join_parts(parts, "test")
    with pytest.raises(SourceError, match=r"one is a part of another command \('blindpo test'\)"):
        join_parts([one], "other")
    with pytest.raises(SourceError, match="not a finished part; give the --out of 'blindpo other --part"):
        join_parts([whole.path], "other")
