"""How many items it takes: worked examples, and the exact test itself."""

import numpy as np
import pytest
from scipy.stats import binomtest

from blindpo.stats.intervals import wilson
from blindpo.stats.power import (
    design_effect,
    items_for_difference,
    items_for_width,
    power_of_mcnemar,
    smallest_difference,
)


def test_items_for_a_difference_by_hand() -> None:
    assert items_for_difference(0.1, 0.3) == 234
    assert items_for_difference(-0.1, 0.3) == 234
    assert items_for_difference(0.1, 0.3, power=0.9) > 233


def test_connors_formula_has_about_the_exact_tests_power() -> None:
    power = power_of_mcnemar(items_for_difference(0.1, 0.3), 0.1, 0.3)
    assert 0.76 <= power <= 0.80  # the exact test is a little stricter than the approximation


def test_exact_power_against_a_simulation_and_its_own_level() -> None:
    random = np.random.default_rng(4)
    draws = random.multinomial(60, [0.25, 0.05, 0.7], size=1500)
    rejected = np.mean([binomtest(int(a), int(a + b), 0.5).pvalue <= 0.05 for a, b, _ in draws])
    assert power_of_mcnemar(60, 0.2, 0.3) == pytest.approx(rejected, abs=0.03)
    assert power_of_mcnemar(3, 0.2, 0.3) == 0.0  # three items can never be enough


def test_the_smallest_difference_is_the_inverse() -> None:
    assert smallest_difference(234, 0.3) == pytest.approx(0.1, abs=2e-4)
    assert smallest_difference(3, 0.3) is None
    assert smallest_difference(0, 0.3) is None


def test_items_for_a_width() -> None:
    assert items_for_width(0.5, 0.05) == 381
    for n, inside in ((381, True), (380, False)):
        low, high = wilson(0.5 * n, n)
        assert ((high - low) / 2 <= 0.05) is inside
    assert items_for_width(0.5, 0.9) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: items_for_difference(0.0, 0.3),
        lambda: items_for_difference(0.4, 0.3),
        lambda: items_for_difference(0.1, 0.3, power=1.0),
        lambda: power_of_mcnemar(10, 0.1, 1.2),
        lambda: items_for_width(1.5, 0.1),
        lambda: items_for_width(0.5, 0.0),
    ],
)
def test_what_cannot_be_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match="must"):
        call()  # type: ignore[operator]


def test_design_effect_by_hand() -> None:
    assert design_effect(5, 0.2) == pytest.approx(1.8)
    assert design_effect(1, 0.9) == 1.0
