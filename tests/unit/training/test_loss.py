"""The loss against numbers worked by hand, and its gradients."""

from math import log

import pytest
import torch

from blindpo.training.loss import LossTerms, Rewards, preference_loss, row_means
from blindpo.training.methods import METHODS

LN3 = log(3)
BPO, DPO = METHODS["bpo"], METHODS["dpo"]


def rewards(values: list[float] | torch.Tensor, rows: list[int]) -> Rewards:
    """Responses of one token each."""
    r_K = values if isinstance(values, torch.Tensor) else torch.tensor(values)
    return Rewards(r_K, torch.ones(len(rows), dtype=torch.long), torch.tensor(rows, dtype=torch.long))


def terms(name: str) -> LossTerms:
    return preference_loss(
        rewards([LN3, 0.0], [0, 1]), rewards([0.0, LN3], [0, 1]), rewards([LN3], [0]), method=METHODS[name], beta=0.1
    )


def test_the_worked_example_of_the_docstring() -> None:
    worked = terms("bpo")
    assert worked.rejected_N.tolist() == pytest.approx([log(4 / 3), log(4)])
    assert worked.blind_N.tolist() == pytest.approx([log(2), 0])
    assert worked.per_row_N.tolist() == pytest.approx([log(8 / 3), log(4)])


def test_dpo_does_not_look_at_blind_responses() -> None:
    assert terms("dpo").per_row_N.tolist() == pytest.approx([log(4 / 3), log(4)])


def test_a_mean_over_nothing_is_0() -> None:
    assert row_means(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2]), 3).tolist() == [2, 0, 5]
    none = row_means(torch.zeros(0), torch.zeros(0, dtype=torch.long), 2)
    assert none.tolist() == [0, 0]


def test_gradients_by_hand() -> None:
    # d/dx of -log sigma(x) is -sigma(-x): at x = ln 3 that is -1/4, at x = -ln 3 it is -3/4, at 0 it is -1/2
    chosen = torch.tensor([LN3], requires_grad=True)
    rejected = torch.tensor([0.0, 2 * LN3], requires_grad=True)
    blind = torch.tensor([LN3], requires_grad=True)
    worked = preference_loss(rewards(chosen, [0]), rewards(rejected, [0, 0]), rewards(blind, [0]), method=BPO, beta=0.1)
    worked.per_row_N.sum().backward()
    assert rejected.grad.tolist() == pytest.approx([1 / 8, 3 / 8])
    assert blind.grad.tolist() == pytest.approx([1 / 2])
    assert chosen.grad.tolist() == pytest.approx([-1])


def test_rewards_far_apart_stay_finite() -> None:
    far = preference_loss(rewards([-1e4], [0]), rewards([1e4], [0]), rewards([], []), method=BPO, beta=0.1)
    assert far.per_row_N.tolist() == [2e4]
