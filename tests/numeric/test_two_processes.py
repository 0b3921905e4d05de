"""Two CPU processes under DDP: losses and weights of one with accumulation, kills, batches without an image."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training_rows import row, run_training, write_rows
from tests.two_processes import die, run_together, weights_of

import blindpo.training.output.checkpoints as checkpoints
from blindpo.errors import OutputError
from blindpo.jobs.manifest import write_json
from blindpo.rows.row import Turn
from blindpo.training.trainer import PreferenceTrainer

OPTIONS: dict[str, Any] = {
    "max_steps": 6, "learning_rate": 1e-4, "save_strategy": "steps", "save_steps": 2, "per_device_train_batch_size": 1,
}  # fmt: skip


def text_only(number: int) -> Any:
    return row(number, images=(), prompt=(Turn(role="user", content=(f"what is {number}?",)),))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # text-only rows among the others: at one row per process, one rank often has an image and the other none
    rows = [text_only(n) if n % 2 else row(n) for n in range(7)]
    return write_rows(tmp_path_factory.mktemp("rows") / "data", rows)


PROBES = {"probe_steps": 2, "probe_rows": 2}


def two(base: Path, data: Path, out: Path, *, kill: str = "", killed: int = 1) -> list[int | None]:
    """`kill` is a method of the trainer and a step, at which the process `killed` dies. The sums of each process stand
    beside `out`: as they were at the last whole checkpoint, and when steps begin."""
    name, _, step = kill.partition("@")

    def task(rank: int) -> None:
        if name and rank == killed:
            whole = getattr(PreferenceTrainer, name)

            def perhaps(self: Any, *args: Any, **kwargs: Any) -> Any:
                return die() if self.state.global_step == int(step) else whole(self, *args, **kwargs)

            setattr(PreferenceTrainer, name, perhaps)
        save, train = PreferenceTrainer._save_checkpoint, PreferenceTrainer.train

        def saved(self: Any, *args: Any) -> None:
            save(self, *args)
            write_json(out.parent / f"saved-{rank}.json", self.training_sums.sums)

        def begun(self: Any, **options: Any) -> Any:
            write_json(out.parent / f"begun-{rank}.json", self.training_sums.sums)
            return train(self, **options)

        PreferenceTrainer._save_checkpoint, PreferenceTrainer.train = saved, begun  # type: ignore[method-assign]
        if rank != 0:
            vars(checkpoints)["shutil"] = None  # one process deletes
        run_training(base, data, out, config=PROBES, **OPTIONS)

    return run_together(task)


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "two"
    assert two(base, data, out) == [0, 0]
    return out


def test_two_processes_train_as_one_with_accumulation(base: Path, data: Path, whole: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    run_training(base, data, one, **{**OPTIONS, "gradient_accumulation_steps": 2})
    for left, right in zip(metrics(one), metrics(whole), strict=True):
        left["epoch"] = right["epoch"]
        assert left == pytest.approx(right, rel=2e-4, abs=2e-5)
    ones, twos = weights_of(one), weights_of(whole)
    assert ones.keys() == twos.keys()
    start = weights_of(base)
    for name, weight in ones.items():
        assert torch.allclose(weight, twos[name], atol=2e-6), name
    assert any(not torch.equal(weight, start[name]) for name, weight in ones.items())


def test_a_killed_pair_ends_with_the_same_bytes(base: Path, data: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "two"
    assert two(base, data, out, kill="training_step@3")[1] == -9
    assert not (out / "manifest.json").exists() and (out / "checkpoint-2").is_dir()
    kept = [(tmp_path / f"saved-{rank}.json").read_bytes() for rank in (0, 1)]
    with pytest.raises(OutputError, match="differs in: processes"):
        run_training(base, data, out, config=PROBES, **OPTIONS)
    assert two(base, data, out, kill="_save_rng_state@4", killed=0)[0] == -9  # inside a checkpoint's saving
    assert not (out / "checkpoint-4/complete.json").exists() and (out / "checkpoint-4").is_dir()
    assert two(base, data, out) == [0, 0]
    assert [(tmp_path / f"begun-{rank}.json").read_bytes() for rank in (0, 1)] == kept
    assert kept[0] != kept[1]
    for name in ("model.safetensors", "metrics.jsonl", "rejects.jsonl", "manifest.json", "README.md", "probes.jsonl"):
        hashes = [sha256((run / name).read_bytes()).hexdigest() for run in (out, whole)]
        assert hashes[0] == hashes[1], name


def test_two_processes_train_on_rows_without_any_image(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [text_only(n) for n in range(4)])
    options = {**OPTIONS, "max_steps": 2, "save_strategy": "no"}
    assert run_together(lambda rank: run_training(base, data, tmp_path / "two", **options) and None) == [0, 0]
    run_training(base, data, tmp_path / "one", **{**options, "gradient_accumulation_steps": 2})
    start, ones, twos = (weights_of(folder) for folder in (base, tmp_path / "one", tmp_path / "two"))
    for name, weight in ones.items():
        assert torch.allclose(weight, twos[name], atol=2e-6), name
        if "projector" in name:  # no row reaches it
            assert torch.equal(twos[name], start[name]), name
    assert any(not torch.equal(weight, start[name]) for name, weight in twos.items())
