"""kill -9 amid a step and inside a checkpoint's saving, then the same command: the same weights, the same metrics.

Each run has a process of its own, forked, so that torch is imported once; a killed one leaves what a power cut leaves.
"""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_models import save_tiny_llava
from tests.training_rows import left, row, run_training, write_rows

import blindpo.training.run
from blindpo.errors import OutputError
from blindpo.training.trainer import PreferenceTrainer

# 5 rows by 2: three steps an epoch; logs at 2, 4, 6, 8 and saves at 3, 6, 8, so that sums are under way at a save
OPTIONS: dict[str, Any] = {
    "max_steps": 8, "logging_steps": 2, "save_strategy": "steps", "save_steps": 3, "eval_strategy": "epoch",
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", [row(n) for n in range(5)])


def _child(base: Path, data: Path, out: Path, kill: str, config: dict[str, Any]) -> None:
    def die(*args: Any, **kwargs: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    take_step = PreferenceTrainer.training_step

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        loss = take_step(self, *args, **kwargs)
        with steps_file(out).open("a") as file:
            file.write(f"{self.state.global_step}\n")
        return loss

    PreferenceTrainer.training_step = counted  # type: ignore[method-assign]
    name, _, step = kill.partition("@")
    if name == "save_run":
        blindpo.training.run.save_run = die
    elif name:
        whole = getattr(PreferenceTrainer, name)

        def perhaps(self: Any, *args: Any, **kwargs: Any) -> Any:
            return die() if self.state.global_step == int(step) else whole(self, *args, **kwargs)

        setattr(PreferenceTrainer, name, perhaps)
    run_training(base, data, out, eval_data=data, config=config, **OPTIONS)


def steps_file(out: Path) -> Path:
    """Beside the run: a line for each step that the last process took, with the number of steps before it."""
    return out.with_name("steps")


def run(base: Path, data: Path, out: Path, kill: str = "", **config: Any) -> int:
    steps_file(out).unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(base, data, out, kill, config))
    process.start()
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


@pytest.fixture(scope="module")
def whole(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run(base, data, out) == 0
    return out


@pytest.mark.parametrize(
    ("kill", "done"),
    [
        ("training_step@1", 0),  # before any checkpoint
        ("training_step@5", 3),  # amid an epoch, two steps after a checkpoint
        ("training_step@7", 6),  # after a checkpoint at an epoch's end
        ("_save_optimizer_and_scheduler@6", 3),  # while a checkpoint is saved: weights are written, the mark is not
        ("_save_rng_state@8", 6),  # while the last one is saved
        ("save_run", 8),  # after the last step: no further one is taken
    ],
)
def test_a_killed_run_ends_as_if_it_had_not_been_and_repeats_only_steps_after_the_newest_whole_checkpoint(
    kill: str, done: int, base: Path, data: Path, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("runs") / "run"
    assert run(base, data, out, kill) == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    assert run(base, data, out) == 0
    assert left(out) == left(whole)
    taken = steps_file(out).read_text().split() if steps_file(out).exists() else []
    assert taken == [str(step) for step in range(done, OPTIONS["max_steps"])]


def test_a_run_that_is_killed_five_times_ends_as_if_it_had_not_been(
    base: Path, data: Path, whole: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("runs") / "run"
    for kill in ("training_step@2", "_save_rng_state@3", "training_step@4", "training_step@7", "save_run"):
        assert run(base, data, out, kill) == -signal.SIGKILL
    assert run(base, data, out) == 0
    assert left(out) == left(whole)


def test_a_killed_adapter_ends_as_if_it_had_not_been(base: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, killed = tmp_path / "a/run", tmp_path / "b/run"
    config = {"lora": True, "lora_r": 4}
    assert run(base, data, whole, **config) == 0
    assert run(base, data, killed, "training_step@5", **config) == -signal.SIGKILL
    assert run(base, data, killed, **config) == 0
    assert left(killed) == left(whole)
    assert "adapter_model.safetensors" in left(whole)


def test_the_best_model_is_saved_after_a_kill_behind_the_last_step(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(2)])
    worse = write_rows(tmp_path / "eval", [row(5, chosen=row(5).rejected, rejected=row(5).chosen, blind=())])
    options: dict[str, Any] = {
        "eval_data": worse, "max_steps": 2, "eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps",
        "save_steps": 1, "load_best_model_at_end": True, "metric_for_best_model": "loss", "greater_is_better": False,
    }  # fmt: skip
    run_training(base, data, tmp_path / "whole", **options)

    def killed(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(blindpo.training.run, "save_run", killed)
        run_training(base, data, tmp_path / "killed", **options)
    run_training(base, data, tmp_path / "killed", **options)
    whole, killed_too = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == killed_too == (tmp_path / "whole/checkpoint-1/model.safetensors").read_bytes()


def test_a_finished_run_says_so_and_refuses_other_options(base: Path, data: Path, tmp_path: Path) -> None:
    first = run_training(base, data, tmp_path / "run")
    again = run_training(base, data, tmp_path / "run", disable_tqdm=False)
    assert (first.state, again.state) == ("new", "done")
    assert (again.steps, again.counts, again.final) == (first.steps, first.counts, first.final)
    with pytest.raises(OutputError, match="learning_rate"):
        run_training(base, data, tmp_path / "run", learning_rate=1e-5)
