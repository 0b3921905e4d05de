"""Wilson's interval against statsmodels and by hand; what an estimate says where there is no data."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from blindpo.stats.intervals import Estimate, constant_interval, wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 1), (0, 50), (8, 10), (50, 50), (117, 154)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_that_of_statsmodels(successes: int, n: int, level: float) -> None:
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert wilson(successes, n, level=level) == pytest.approx(expected, abs=1e-12)


def test_wilson_by_hand() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert wilson(50, 50)[0] == pytest.approx(50 / (50 + 1.959964**2), abs=1e-6)


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_are_no_trials(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="trials"):
        wilson(successes, n)


def test_where_all_are_right_the_interval_is_wilsons_own() -> None:
    assert constant_interval(1.0, 50, (0.0, 1.0)) == pytest.approx(wilson(50, 50))
    assert constant_interval(0.0, 50, (0.0, 1.0)) == pytest.approx(wilson(0, 50))


def test_a_difference_that_is_zero_everywhere_is_uncertain_both_ways() -> None:
    low, high = constant_interval(0.0, 50, (-1.0, 1.0))
    assert (low, high) == pytest.approx((-wilson(0, 50)[1], wilson(0, 50)[1]))


def test_no_data_is_neither_0_nor_1() -> None:
    assert Estimate(value=None).to_json() == {"value": None, "n": 0, "no_data": True}
    assert Estimate(value=None, missing=3).to_json() == {"value": None, "n": 0, "no_data": True, "missing": 3}


def test_fewer_than_five_seeds_are_marked_and_shown_one_by_one() -> None:
    known = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20, "method": "m"}
    assert Estimate(**known).to_json() == known
    three = Estimate(**known, per_seed=(0.4, 0.6, None))
    assert three.to_json() == {**known, "per_seed": [0.4, 0.6, None], "few_seeds": True}
    assert not Estimate(**known, per_seed=(0.5,) * 5).few_seeds
    assert Estimate(**known, per_seed=(0.5,) * 4 + (None,)).few_seeds


@pytest.mark.parametrize("n", [1, 7, 100, 265, 4000])
def test_a_rate_of_0_or_1_lies_in_its_own_interval_to_the_last_bit(n: int) -> None:
    assert wilson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == 1.0
