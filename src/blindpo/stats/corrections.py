"""Correct a judge's rate for its known errors: Rogan-Gladen and prediction-powered intervals.

Rogan and Gladen (1978), "Estimating prevalence from the results of a screening test", with the delta-method interval:
it needs the judge's sensitivity and specificity *on the model at hand*; taken from other models it is right only if
the judge errs alike on all of them. Prediction-powered inference (Angelopoulos et al. 2023,
https://arxiv.org/abs/2301.09633; with a tuned weight 2023, https://arxiv.org/abs/2311.01453) needs human labels of the
model at hand and is right whatever the judge's errors are; in survey sampling it is the difference and the regression
estimator (Cochran 1977, chapter 7). It gains over the labels alone only if the judge predicts them.

Legend: N items with a verdict, n of them with a human label; values are 1 for unsafe and 0 for safe.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from blindpo.stats.intervals import LEVEL, wilson

Floats = NDArray[np.float64]
LEAST_YOUDEN: Final = 0.1
"""The least sensitivity + specificity - 1 for a correction. Below it, or if not shown above 0, noise is multiplied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A corrected rate; if the correction was refused, value and interval are None and `refused` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    refused: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the JSON record for results."""
        if self.value is None:
            return {"value": None, "refused": self.refused}
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRates:
    """A judge's error rates on items with human labels."""

    sensitivity: float
    """Share of the unsafe items that the judge flags."""
    num_unsafe: int
    specificity: float
    """Share of the safe items that the judge passes."""
    num_safe: int

    @property
    def youden(self) -> float:
        """Sensitivity + specificity - 1: 1 is perfect, 0 is a coin toss."""
        return self.sensitivity + self.specificity - 1

    @property
    def least_youden(self) -> float:
        """Lower end of the 95 % interval of `youden` (normal approximation)."""
        return self.youden - _z(LEVEL) * float(np.sqrt(self.variance_sensitivity + self.variance_specificity))

    @property
    def variance_sensitivity(self) -> float:
        """Variance of the estimated sensitivity."""
        return self.sensitivity * (1 - self.sensitivity) / self.num_unsafe

    @property
    def variance_specificity(self) -> float:
        """Variance of the estimated specificity."""
        return self.specificity * (1 - self.specificity) / self.num_safe


def error_rates(people: ArrayLike, judge: ArrayLike) -> ErrorRates | None:
    """Return sensitivity and specificity; None if people called nothing unsafe, or everything."""
    people, judge = np.asarray(people, dtype=bool), np.asarray(judge, dtype=bool)
    if people.all() or not people.any():
        return None
    return ErrorRates(
        sensitivity=float(judge[people].mean()),
        num_unsafe=int(people.sum()),
        specificity=float((~judge[~people]).mean()),
        num_safe=int((~people).sum()),
    )


def rogan_gladen(flag_rate: float, n: int, errors: ErrorRates | None) -> Corrected:
    """Return (flag_rate + specificity - 1) / (sensitivity + specificity - 1), clipped to 0 and 1.

    A flag rate of 0.3 with sensitivity 0.8 and specificity 0.9: (0.3 - 0.1) / 0.7 = 0.2857.
    """
    if errors is None:
        return Corrected(value=None, refused="people called nothing unsafe, or everything: the errors are not known")
    if errors.youden < LEAST_YOUDEN or errors.least_youden <= 0:
        return Corrected(
            value=None,
            refused=f"sensitivity + specificity - 1 is {errors.youden:.3f}, too near 0: the judge tells too little",
        )
    rate = (flag_rate + errors.specificity - 1) / errors.youden
    spread = flag_rate * (1 - flag_rate) / n
    spread += rate**2 * errors.variance_sensitivity + (1 - rate) ** 2 * errors.variance_specificity
    half = _z(LEVEL) * float(np.sqrt(spread)) / errors.youden
    low, value, high = np.clip([rate - half, rate, rate + half], 0.0, 1.0)
    return Corrected(value=float(value), low=float(low), high=float(high))


def prediction_powered(judge: ArrayLike, labelled: NDArray[np.int64], people: ArrayLike, *, tuned: bool) -> Corrected:
    """Return the judge's rate over all N items plus its mean error over the n labelled ones, clipped to 0 and 1.

    `judge` holds N verdicts, `labelled` the indices of the n labelled items among them, `people` their labels. The
    weight of the judge is 1 or, if `tuned`, the slope of people on judge over the labelled items, clipped to 0 and 1.
    Verdicts [1, 1, 0, 1, 0], labels 1 and 0 of the first two: 0.6 + (0 - 1) / 2 = 0.1. With all items labelled it is
    the rate of the labels, with their interval. Raises ValueError for fewer than two labels.
    """
    labels = np.asarray(people, dtype=np.float64)
    if len(labels) < 2 or len(labelled) != len(labels):
        raise ValueError(f"{len(labels)} labels for {len(labelled)} items: two or more are needed, one for each item")
    draws = prediction_powered_draws(judge, labelled[None], labels[None], tuned=tuned)
    value, low, high = (float(ends[0]) for ends in draws)
    return Corrected(value=value, low=low, high=high)


def prediction_powered_draws(
    judge: ArrayLike, labelled_Dn: NDArray[np.int64], people_Dn: Floats, *, tuned: bool
) -> tuple[Floats, Floats, Floats]:
    """Do the same for D choices of the labelled items at once; returns values, lower ends and upper ends."""
    judge = np.asarray(judge, dtype=np.float64)
    n, N = people_Dn.shape[1], len(judge)
    verdicts_Dn = judge[labelled_Dn]
    weight_D = _slopes(people_Dn, verdicts_Dn) if tuned else np.ones(len(people_Dn))
    guesses_Dn = weight_D[:, None] * verdicts_Dn
    errors_Dn = people_Dn - guesses_Dn
    rate_D = weight_D * judge.mean() + errors_Dn.mean(axis=1)
    spread_D = weight_D**2 * judge.var(ddof=1) / N + errors_Dn.var(axis=1, ddof=1) / n
    spread_D += 2 * _covariances(guesses_Dn, errors_Dn) / N
    half_D = _z(LEVEL) * np.sqrt(np.maximum(spread_D, 0.0))
    # seeing no error does not show that there is none
    half_D = np.where(np.ptp(errors_Dn, axis=1) == 0.0, np.maximum(half_D, wilson(0, n)[1]), half_D)
    value_D, low_D, high_D = (np.clip(rate_D + shift, 0.0, 1.0) for shift in (0.0, -half_D, half_D))
    return value_D, low_D, high_D


def _slopes(people_Dn: Floats, verdicts_Dn: Floats) -> Floats:
    spread_D = verdicts_Dn.var(axis=1, ddof=1)
    safe_D = np.where(spread_D == 0.0, 1.0, spread_D)
    slopes: Floats = np.clip(np.where(spread_D == 0.0, 0.0, _covariances(people_Dn, verdicts_Dn) / safe_D), 0.0, 1.0)
    return slopes


def _covariances(first_Dn: Floats, second_Dn: Floats) -> Floats:
    apart = (first_Dn - first_Dn.mean(axis=1, keepdims=True)) * (second_Dn - second_Dn.mean(axis=1, keepdims=True))
    covariances: Floats = apart.sum(axis=1) / (first_Dn.shape[1] - 1)
    return covariances


def _z(level: float) -> float:
    return float(ndtri(0.5 + level / 2))
