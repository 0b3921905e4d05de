"""Engines map numbers: all of them, once, wherever; errors and dead workers end the run with a word of advice."""

import os
import sys
from pathlib import Path

import pytest
from tests.unit.jobs.jobs import Die, Fail, Touch
from tests.unit.jobs.sharded import work

from blindpo.errors import ConfigError, RowError
from blindpo.jobs.engine import Engine, WorkerDiedError, usable_cores
from blindpo.jobs.shards import Place, RowJob, make_shards, sum_counts
from blindpo.rows.shards import read_rows


@pytest.mark.parametrize("workers", [1, 2])
def test_every_number_is_made_once(tmp_path: Path, workers: int) -> None:
    assert sorted(Engine(workers=workers).map(Touch(tmp_path), range(9))) == list(range(9))
    made_by = {path.read_text() for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 9 and (str(os.getpid()) in made_by) == (workers == 1)


def test_processes_leave_the_same_shards(tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        place = Place(tmp_path / name, tmp_path / name / "state")
        place.state.mkdir(parents=True)
        make_shards(RowJob(place, work), 3, what="test", engine=Engine(workers=workers))
        totals = sum_counts(place, 3)
        assert (totals.kept, totals.rejected, totals.counts) == (9, 3, {"seen": 12})
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert [(tmp_path / "one" / path).read_bytes() for path in files] == [
        (tmp_path / "two" / path).read_bytes() for path in files
    ]
    assert len(list(read_rows(tmp_path / "two"))) == 9


def test_an_error_in_a_worker_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(RowError, match="the third is bad"):
        list(Engine(workers=2).map(Fail(tmp_path), range(6)))


def test_a_worker_that_is_killed_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(WorkerDiedError, match="fewer --workers"):
        list(Engine(workers=2).map(Die(tmp_path), range(6)))


def test_what_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="1 or more"):
        Engine(workers=0)
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"blindpo\[ray\]"):
        Engine(name="ray")
    assert usable_cores() >= 1


@pytest.mark.slow
def test_ray_leaves_the_same_shards(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    for name, engine in (("here", Engine()), ("ray", Engine(name="ray", workers=2))):
        place = Place(tmp_path / name, tmp_path / name / "state")
        place.state.mkdir(parents=True)
        make_shards(RowJob(place, work), 5, what="test", engine=engine)
    for path in (tmp_path / "here").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "ray" / path.relative_to(tmp_path / "here")).read_bytes()
