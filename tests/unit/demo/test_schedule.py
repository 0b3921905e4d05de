"""The schedule: what waits, waits; a failure is raised; variables of the environment are put back."""

import os
from pathlib import Path

import pytest

from blindpo.cli.demo import chosen_seeds
from blindpo.cli.main import main
from blindpo.demo.schedule import Task, run_tasks


def leave_a_mark(folder: Path, name: str, needed: tuple[str, ...]) -> dict[str, float]:
    assert all((folder / other).is_file() for other in needed)
    (folder / name).write_text(os.environ["OMP_NUM_THREADS"])
    return {"mark": 1.0}


def fail() -> dict[str, float]:
    raise ValueError("on purpose")


def test_tasks_wait_for_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    tasks = [
        Task(name="last", needs=("a", "b"), work=leave_a_mark, arguments=(tmp_path, "last", ("a", "b"))),
        Task(name="a", work=leave_a_mark, arguments=(tmp_path, "a", ())),
        Task(name="b", needs=("a",), work=leave_a_mark, arguments=(tmp_path, "b", ("a",))),
    ]
    assert run_tasks(tasks, num_workers=2, what="test") == {name: {"mark": 1.0} for name in ("a", "b", "last")}
    assert (tmp_path / "last").read_text() == "1"
    assert "OMP_WAIT_POLICY" not in os.environ


def test_a_failure_is_raised() -> None:
    with pytest.raises(ValueError, match="on purpose"):
        run_tasks([Task(name="bad", work=fail)], num_workers=1, what="test")


class Words:
    """Parsed words of the command line."""

    def __init__(self, *, quick: bool = False, seeds: int | None = None, seed_list: str | None = None) -> None:
        self.quick, self.seeds, self.seed_list = quick, seeds, seed_list


@pytest.mark.parametrize(
    ("words", "seeds"),
    [
        (Words(), (1, 2, 3)),
        (Words(quick=True), (1,)),
        (Words(seeds=5), (1, 2, 3, 4, 5)),
        (Words(seed_list="7,8"), (7, 8)),
    ],
)
def test_seeds_are_counted_or_named(words: Words, seeds: tuple[int, ...]) -> None:
    assert chosen_seeds(words) == seeds  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words", [["--seeds", "0"], ["--seed-list", "7,7"], ["--seed-list", "x"], ["--search", "--quick"]]
)
def test_a_wrong_word_is_refused_before_anything_starts(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", *words, "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()
    assert "blindpo demo:" in capsys.readouterr().err
