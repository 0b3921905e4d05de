"""Warnings from records, and errors that name the rows."""

import math
from typing import Any

import pytest
import torch

from blindpo.errors import TrainingError
from blindpo.training.monitor.health import HEALTH_WINDOW, require_finite, require_finite_gradients, warnings
from blindpo.training.monitor.metrics import (
    CORRELATION,
    SHIFT,
    STUCK,
)


def records(number: int = HEALTH_WINDOW, **values: float) -> list[dict[str, Any]]:
    return [{"step": step, "loss": 0.5, **values} for step in range(1, number + 1)]


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({SHIFT: -0.2, "rewards/margins": 1.0}, ["displacement"]),
        ({SHIFT: -0.05}, []),
        ({STUCK: 0.9, "rewards/margins": 1.0}, ["blind_stuck"]),
        ({STUCK: 0.4, "rewards/margins": 1.0}, []),
        ({STUCK: 1.0, "rewards/margins": 0.03}, []),  # nothing has moved yet: not the blind responses' fault
        ({CORRELATION: -0.7}, ["length"]),
        (
            {SHIFT: -0.2, STUCK: 0.9, CORRELATION: 0.7, "rewards/margins": 1.0},
            ["displacement", "blind_stuck", "length"],
        ),
    ],
)
def test_what_is_warned_of(values: dict[str, float], kinds: list[str]) -> None:
    assert [warned.kind for warned in warnings(records(**values), at_start="log 2")] == kinds
    assert warnings(records(HEALTH_WINDOW - 1, **values), at_start="log 2") == []


def test_a_warning_names_the_step_at_which_it_first_held_and_stays() -> None:
    logs = records(2 * HEALTH_WINDOW, **{SHIFT: 0.0})
    for record in logs[5:25]:
        record[SHIFT] = -0.3
    (found,) = warnings(logs, at_start="log 2")
    # mean of a window under -0.1: seven of twenty logs at -0.3; logs 6 to 25 have it, and the window that ends at 38
    assert (found.kind, found.step, found.last) == ("displacement", 20, 38)
    assert "less likely than under the reference" in found.text and "Lower learning_rate" in found.text


def test_a_run_whose_two_terms_move_slowly_and_together_is_not_warned_of() -> None:
    # a warm-up at a small rate: both margins leave log 2 late, the blind one after the other
    logs = [
        {"step": step, "loss": 0.69, "rewards/margins": 0.002 * step, STUCK: 1.0 if step < 40 else 0.2}
        for step in range(1, 101)
    ]
    assert warnings(logs, at_start="log 2") == []


def test_a_loss_that_is_no_number_stops_with_its_rows() -> None:
    with pytest.raises(TrainingError, match="2 rows is NaN or infinite: b, c"):
        require_finite(torch.tensor([1.0, math.nan, math.inf]), ["a", "b", "c"])
    require_finite(torch.tensor([1.0]), ["a"])
    with pytest.raises(TrainingError, match=r"gradient of step 7 .* rows: a, b"):
        require_finite_gradients(math.inf, ["a", "b"], 7)
    require_finite_gradients(3.0, ["a"], 7)
    with pytest.raises(TrainingError, match="The engine took the step before it could be seen"):
        require_finite_gradients(math.nan, ["a"], 7, taken=True)
