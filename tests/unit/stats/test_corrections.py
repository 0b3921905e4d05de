"""Corrected rates: worked arithmetic, refusals, identities, and intervals that cover as often as they say."""

import numpy as np
import pytest
from scipy.stats import linregress

from blindpo.stats.corrections import error_rates, prediction_powered, rogan_gladen
from blindpo.stats.intervals import wilson

PEOPLE = [1] * 10 + [0] * 20
JUDGE = [1] * 8 + [0] * 2 + [1] * 2 + [0] * 18
"""Sensitivity 0.8, specificity 0.9."""


def test_rogan_gladen_by_hand() -> None:
    errors = error_rates(PEOPLE, JUDGE)
    assert errors is not None
    assert (errors.sensitivity, errors.num_unsafe, errors.specificity, errors.num_safe) == (0.8, 10, 0.9, 20)
    assert errors.youden == pytest.approx(0.7)
    found = rogan_gladen(0.3, 100, errors)
    rate = 0.2 / 0.7
    variance = (0.3 * 0.7 / 100 + rate**2 * 0.16 / 10 + (1 - rate) ** 2 * 0.09 / 20) / 0.49
    assert found.value == pytest.approx(rate)
    assert found.low == pytest.approx(max(0.0, rate - 1.959964 * variance**0.5))
    assert found.high == pytest.approx(rate + 1.959964 * variance**0.5)
    assert found.to_json() == {"value": found.value, "low": found.low, "high": found.high}


def test_a_rate_below_the_false_alarms_is_kept_at_zero() -> None:
    found = rogan_gladen(0.05, 100, error_rates(PEOPLE, JUDGE))
    assert (found.value, found.low) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("people", "judge", "words"),
    [
        ([1, 0] * 50, [1, 0, 0, 1] * 25, "is 0.000, too near 0"),
        ([1, 1, 0, 0], [1, 0, 0, 0], "is 0.500, too near 0"),
        ([0, 0, 0], [1, 0, 0], "errors are not known"),
        ([1, 1], [1, 0], "errors are not known"),
    ],
)
def test_a_judge_that_tells_too_little_corrects_nothing(people: list[int], judge: list[int], words: str) -> None:
    found = rogan_gladen(0.3, 100, error_rates(people, judge))
    assert found.value is None
    assert words in (found.refused or "")
    assert found.to_json() == {"value": None, "refused": found.refused}


def test_prediction_powered_by_hand() -> None:
    judge = [1, 1, 0, 0, 0, 1, 0, 0]
    found = prediction_powered(judge, np.array([0, 2, 3, 5]), [1, 1, 0, 0], tuned=False)
    assert found.value == pytest.approx(3 / 8 + (0 + 1 + 0 - 1) / 4)
    errors, verdicts = np.array([0, 1, 0, -1]), np.array([1, 0, 0, 1])
    variance = np.var(judge, ddof=1) / 8 + errors.var(ddof=1) / 4 + 2 * np.cov(verdicts, errors)[0, 1] / 8
    assert found.low == pytest.approx(max(0.0, 3 / 8 - 1.959964 * variance**0.5))
    assert found.high == 1.0  # 1.04, kept within the bounds


@pytest.mark.parametrize("tuned", [False, True])
def test_with_every_item_labelled_it_is_the_rate_of_the_labels(tuned: bool) -> None:
    random = np.random.default_rng(1)
    people, judge = random.integers(0, 2, 200), random.integers(0, 2, 200)
    found = prediction_powered(judge, np.arange(200), people, tuned=tuned)
    assert found.value == pytest.approx(people.mean())
    assert found.high == pytest.approx(people.mean() + 1.959964 * (people.var(ddof=1) / 200) ** 0.5)


def test_the_tuned_weight_is_the_slope_and_a_judge_without_spread_has_none() -> None:
    random = np.random.default_rng(2)
    people = random.random(300) < 0.4
    judge = np.where(random.random(300) < 0.8, people, random.random(300) < 0.5)
    labelled = np.arange(100)
    slope = linregress(judge[:100].astype(float), people[:100].astype(float)).slope
    found = prediction_powered(judge, labelled, people[:100], tuned=True)
    assert found.value == pytest.approx(slope * judge.mean() + (people[:100] - slope * judge[:100]).mean())
    silent = prediction_powered(np.zeros(300), labelled, people[:100], tuned=True)
    assert silent.value == pytest.approx(people[:100].mean())


def test_where_no_error_was_seen_the_interval_still_has_a_width() -> None:
    found = prediction_powered([0.0] * 50, np.arange(10), [0] * 10, tuned=False)
    assert (found.value, found.low, found.high) == (0.0, 0.0, pytest.approx(wilson(0, 10)[1]))


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="two or more"):
        prediction_powered([1, 0], np.array([0]), [1], tuned=False)
    with pytest.raises(ValueError, match="one for each"):
        prediction_powered([1, 0], np.array([0]), [1, 0], tuned=False)


def test_intervals_cover_as_often_as_they_say_whatever_the_judges_errors() -> None:
    """600 samples of a world where the judge misses 40 % and cries wolf in 15 %; the truth is 0.3."""
    random = np.random.default_rng(5)
    hits = {"plain": 0, "tuned": 0, "rogan_gladen": 0}
    for _ in range(600):
        people = random.random(600) < 0.3
        judge = np.where(people, random.random(600) < 0.6, random.random(600) < 0.15)
        for name, tuned in (("plain", False), ("tuned", True)):
            found = prediction_powered(judge, np.arange(150), people[:150], tuned=tuned)
            hits[name] += found.low <= 0.3 <= found.high  # type: ignore[operator]
        errors = error_rates(people[:150], judge[:150])
        corrected = rogan_gladen(float(judge[150:].mean()), 450, errors)
        hits["rogan_gladen"] += corrected.low <= 0.3 <= corrected.high  # type: ignore[operator]
    assert all(0.92 <= count / 600 <= 0.98 for count in hits.values()), hits
