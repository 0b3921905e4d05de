"""The loss against numbers worked by hand, and its gradients."""

from math import log

import pytest
import torch

from blindpo.training.loss import preference_loss, row_means

LN3 = log(3)


def terms(*, use_blind: bool = True):
    return preference_loss(
        torch.tensor([LN3, 0.0]),
        torch.tensor([0.0, LN3]),
        torch.tensor([0, 1]),
        blind_r_B=torch.tensor([LN3]),
        blind_row_B=torch.tensor([0]),
        use_blind=use_blind,
    )


def test_the_worked_example_of_the_docstring() -> None:
    found = terms()
    assert found.rejected_N.tolist() == pytest.approx([log(4 / 3), log(4)])
    assert found.blind_N.tolist() == pytest.approx([log(2), 0])
    assert found.per_row_N.tolist() == pytest.approx([log(8 / 3), log(4)])


def test_dpo_does_not_look_at_blind_responses() -> None:
    assert terms(use_blind=False).per_row_N.tolist() == pytest.approx([log(4 / 3), log(4)])


def test_a_mean_over_nothing_is_0() -> None:
    assert row_means(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([0, 0, 2]), 3).tolist() == [2, 0, 5]
    none = row_means(torch.zeros(0), torch.zeros(0, dtype=torch.long), 2)
    assert none.tolist() == [0, 0]


def test_gradients_by_hand() -> None:
    # d/dx of -log sigma(x) is -sigma(-x): at x = ln 3 that is -1/4, at x = -ln 3 it is -3/4, at 0 it is -1/2
    chosen = torch.tensor([LN3], requires_grad=True)
    rejected = torch.tensor([0.0, 2 * LN3], requires_grad=True)
    blind = torch.tensor([LN3], requires_grad=True)
    rows = torch.zeros(2, dtype=torch.long)
    found = preference_loss(chosen, rejected, rows, blind_r_B=blind, blind_row_B=rows[:1], use_blind=True)
    found.per_row_N.sum().backward()
    assert rejected.grad.tolist() == pytest.approx([1 / 8, 3 / 8])
    assert blind.grad.tolist() == pytest.approx([1 / 2])
    assert chosen.grad.tolist() == pytest.approx([-1])


def test_rewards_far_apart_stay_finite() -> None:
    far = preference_loss(
        torch.tensor([-1e4]),
        torch.tensor([1e4]),
        torch.tensor([0]),
        blind_r_B=torch.zeros(0),
        blind_row_B=torch.zeros(0, dtype=torch.long),
        use_blind=True,
    )
    assert far.per_row_N.tolist() == [2e4]
