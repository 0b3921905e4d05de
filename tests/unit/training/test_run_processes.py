"""Two processes are one: the same losses and weights, no one waits for ever, and a kill leaves no trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_losses import same_metrics
from tests.training_rows import drawn_image, left, row, run_training, write_rows
from tests.two_processes import die, run_together, weights_of

from blindpo.rows.row import IMAGE, Turn
from blindpo.training.trainer import PreferenceTrainer


def mixed_rows() -> list[Any]:
    """Text-only rows, one image, two images (one in a later turn), one to three rejected responses."""
    later = (
        Turn(role="user", content=(IMAGE, "what is this?")),
        Turn(role="assistant", content=("a ball",)),
        Turn(role="user", content=("and this?", IMAGE)),
    )
    text = (Turn(role="user", content=("what is a ball?",)),)
    rows = [row(n) for n in range(9)]
    rows[1] = row(1, prompt=later, images=(drawn_image("red"), drawn_image("blue")))
    rows[2] = row(2, more_rejected=("never", "why " * 9), blind=())
    for number in (3, 4, 5, 7):
        rows[number] = row(number, prompt=text, images=())
    return rows


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", mixed_rows())


OPTIONS: dict[str, Any] = {
    "max_steps": 6, "train_sampling_strategy": "sequential", "learning_rate": 1e-3, "eval_strategy": "epoch",
}  # fmt: skip


def same_weights(one: Path, other: Path) -> None:
    expected = weights_of(one)
    for name, weights in weights_of(other).items():
        assert torch.allclose(weights, expected[name], rtol=1e-4, atol=2e-5), name


@pytest.mark.parametrize("packing", ["on", pytest.param("off", marks=pytest.mark.slow)])
def test_three_processes_give_the_losses_and_weights_of_one(
    packing: str, base: Path, data: Path, tmp_path: Path
) -> None:
    # updates of 3 rows: rows 3, 4, 5 are one without any image; of rows 0, 1, 2 every process has an image. Rows
    # that all have one are evaluated amid: training still has texts afterwards, which need a row with an image along
    pictured = write_rows(tmp_path / "eval", [row(20), row(21)])
    whole = {
        **OPTIONS,
        "config": {"packing": packing},
        "eval_data": pictured,
        "eval_strategy": "steps",
        "eval_steps": 1,
    }
    run_training(base, data, tmp_path / "one", **whole, per_device_train_batch_size=1, gradient_accumulation_steps=3)

    def task(_: int) -> None:
        torch.set_num_threads(1)
        run_training(
            base, data, tmp_path / "three", **whole, per_device_train_batch_size=1, ddp_find_unused_parameters=False
        )

    assert run_together(task, world=3) == [0, 0, 0]
    same_metrics(tmp_path / "one", tmp_path / "three")
    same_weights(tmp_path / "one", tmp_path / "three")


@pytest.mark.slow  # tests/numeric/test_two_processes.py kills two processes by default, without a budget
def test_two_killed_processes_end_as_if_they_had_not_been(base: Path, data: Path, tmp_path: Path) -> None:
    # a budget that cuts updates into more micro-batches on one process than the rows of the other would need
    config = {"packing": "on", "tokens_per_batch": 160}
    options = {**OPTIONS, "save_strategy": "steps", "save_steps": 2, "logging_steps": 3}

    def task(out: Path, kill_at: int | None) -> Callable[[int], None]:
        def run(_: int) -> None:
            torch.set_num_threads(1)
            step = PreferenceTrainer.training_step

            def perhaps(self: Any, *args: Any, **kwargs: Any) -> Any:
                return die() if self.state.global_step == kill_at else step(self, *args, **kwargs)

            PreferenceTrainer.training_step = perhaps  # type: ignore[method-assign]
            run_training(base, data, out, config=config, eval_data=data, **options)

        return run

    assert run_together(task(tmp_path / "whole/run", None)) == [0, 0]
    assert set(run_together(task(tmp_path / "killed/run", 3))) <= {-9, 1}
    assert (tmp_path / "killed/run/checkpoint-2/complete.json").is_file()
    assert run_together(task(tmp_path / "killed/run", None)) == [0, 0]
    assert left(tmp_path / "killed/run") == left(tmp_path / "whole/run")
