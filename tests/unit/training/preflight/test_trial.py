"""The trial changes nothing, names the rows of a batch that does not fit, and takes the longest batch."""

import pytest
import torch

from blindpo.errors import TrainingError
from blindpo.training.micro_batches import RowSize, StepPlan, padded_tokens
from blindpo.training.preflight.trial import longest_micro_batch, run_trial


def test_a_trial_leaves_no_gradient_and_no_draw_behind() -> None:
    model = torch.nn.Linear(3, 1)
    torch.manual_seed(3)
    state = torch.get_rng_state()

    def loss() -> torch.Tensor:
        return model(torch.rand(4, 3)).sum()

    trial = run_trial(model, loss, row_ids=["a"], backward=True)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert trial.seconds > 0 and trial.peak_bytes >= 0


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("x"), MemoryError(), RuntimeError("can't allocate memory")])
def test_a_batch_that_does_not_fit_names_its_rows(error: Exception) -> None:
    def loss() -> torch.Tensor:
        raise error

    with pytest.raises(TrainingError, match="rows: row-1, row-2"):
        run_trial(torch.nn.Linear(1, 1), loss, row_ids=["row-1", "row-2"], backward=True)


def test_another_error_of_the_trial_is_not_taken_for_memory() -> None:
    def loss() -> torch.Tensor:
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape mismatch"):
        run_trial(torch.nn.Linear(1, 1), loss, row_ids=[], backward=True)


def test_the_longest_micro_batch_is_looked_for_in_all_epochs_of_the_run() -> None:
    sizes = tuple(RowSize(width, 1, width) for width in (9, 1, 1))
    found = []
    for seed in range(12):
        plan = StepPlan(sizes=sizes, rows_per_step=2, max_rows=2, seed=seed)
        found.append([
            padded_tokens([sizes[row] for row in longest_micro_batch(plan, steps)]) for steps in (1, len(plan) * 20)
        ])  # fmt: skip
    # the long row alone in the last update of the first epoch is 9 tokens, beside another one 18
    assert {first for first, _ in found} == {9, 18}
    assert {longest for _, longest in found} == {18}
