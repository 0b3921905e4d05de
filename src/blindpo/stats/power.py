"""How many items does it take to show a difference? Ask before the run, and after one that showed none.

Two models on the same items: McNemar's test, normal approximation of Connor (1987), "Sample size for testing
differences in proportions for the paired-sample design", Biometrics 43(1), and the exact power of the exact test. What
matters is `disagreement`, the share of items where exactly one of the two is right: at least the difference itself.
One model alone: the items for an interval of a given width. Items in clusters are worth fewer: `design_effect`.
"""

import math
from typing import Final

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom, binomtest

from blindpo.stats.intervals import LEVEL, wilson

POWER: Final = 0.8
MOST_ITEMS: Final = 10_000_000


def items_for_difference(
    difference: float, disagreement: float, *, power: float = POWER, alpha: float = 1 - LEVEL
) -> int:
    """Return how many items both models must answer to show `difference` with `power` at two-sided level `alpha`.

    Difference 0.1 where 0.3 of the items differ: ((1.960 sqrt(0.3) + 0.842 sqrt(0.3 - 0.01)) / 0.1)^2 = 233.1, so 234.
    Raises ValueError for a difference that is 0 or larger than the disagreement, or a share outside 0 to 1.
    """
    _require(difference, disagreement, power, alpha)
    z_alpha, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    root = z_alpha * math.sqrt(disagreement) + z_power * math.sqrt(disagreement - difference**2)
    return math.ceil((root / difference) ** 2)


def _require(difference: float, disagreement: float, power: float, alpha: float) -> None:
    if not 0 < abs(difference) <= disagreement <= 1:
        raise ValueError(
            f"difference {difference} and disagreement {disagreement}: "
            "the difference must not be 0 or larger than the disagreement, which is 1 at most"
        )
    if not (0 < power < 1 and 0 < alpha < 1):
        raise ValueError(f"power {power} and alpha {alpha} must lie between 0 and 1")


def power_of_mcnemar(num_items: int, difference: float, disagreement: float, *, alpha: float = 1 - LEVEL) -> float:
    """Return the exact power of McNemar's exact test, summed over how many items differ and in whose favour.

    Raises ValueError as `items_for_difference` does.
    """
    _require(difference, disagreement, POWER, alpha)
    share = (disagreement + abs(difference)) / (2 * disagreement)
    differing = np.arange(num_items + 1)
    weights = binom.pmf(differing, num_items, disagreement)
    power = 0.0
    for number in differing[weights > 1e-12]:
        power += float(weights[number]) * _rejects(int(number), share, alpha)
    return power


def _rejects(differing: int, share: float, alpha: float) -> float:
    """Return how often the exact test rejects if `differing` items differ."""
    if differing == 0:
        return 0.0
    most = int(binom.ppf(alpha / 2, differing, 0.5))  # about where the test stops rejecting
    while most >= 0 and binomtest(most, differing, 0.5).pvalue > alpha:
        most -= 1
    if most < 0:
        return 0.0
    return float(binom.cdf(most, differing, share) + binom.sf(differing - most - 1, differing, share))


def smallest_difference(num_items: int, disagreement: float, *, power: float = POWER) -> float | None:
    """Return the smallest difference that `num_items` shared items can show; None if not even the largest."""
    low, high = 0.0, disagreement
    if num_items < 1 or items_for_difference(high, disagreement, power=power) > num_items:
        return None
    while high - low > 1e-6:
        middle = (low + high) / 2
        if items_for_difference(middle, disagreement, power=power) <= num_items:
            high = middle
        else:
            low = middle
    return high


def items_for_width(rate: float, half_width: float) -> int:
    """Return how many independent items bring the mean half width of Wilson's interval at `rate` to `half_width`.

    Rate 0.5, half width 0.05: 381. Raises ValueError for a rate outside 0 to 1, or a width of 0 or less.
    """
    if not 0 <= rate <= 1 or half_width <= 0:
        raise ValueError(f"rate {rate} must lie between 0 and 1, and the half width {half_width} above 0")
    low, high = 0, 1
    while _half(rate, high) > half_width and high < MOST_ITEMS:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _half(rate, middle) <= half_width else (middle, high)
    return high


def _half(rate: float, n: int) -> float:
    low, high = wilson(rate * n, n)
    return (high - low) / 2


def design_effect(mean_cluster_size: float, correlation: float) -> float:
    """Return how many times more items clusters need than independent items: 1 + (size - 1) x correlation.

    Kish (1965), "Survey sampling". Clusters of 5 with correlation 0.2: 1.8.
    """
    return 1 + (mean_cluster_size - 1) * correlation
