"""Compare models on a measure, with a verdict: higher, lower, or "no difference shown".

"Higher" or "lower" needs both an interval of the paired difference without 0, and a p-value below 0.05 after Holm's
adjustment over all comparisons of the call. "No difference shown" does not mean that two models are equal: `could_show`
is the smallest difference that the same items would have shown, so that nobody takes silence for safety.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np

from blindpo.stats.clusters import NUM_DRAWS, ItemTable
from blindpo.stats.intervals import LEVEL, Estimate
from blindpo.stats.multiplicity import holm
from blindpo.stats.paired import differences, mcnemar_clustered, paired_difference
from blindpo.stats.power import smallest_difference

ComparisonVerdict = Literal["higher", "lower", "no difference shown", "no data"]
NO_DIFFERENCE: Final = "no difference shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Model `a` against model `b` on the items that both have."""

    a: str
    b: str
    difference: Estimate
    """a - b, with its interval."""
    p_value: float | None
    """Exact, by clusters; None if the items are not yes-or-no."""
    adjusted_p: float | None
    """The p-value after Holm's adjustment."""
    could_show: float | None
    """The smallest difference that as many independent items, with the same disagreement, show 4 times out of 5."""
    verdict: ComparisonVerdict

    def to_json(self) -> dict[str, object]:
        """Return the JSON record for results."""
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.difference.to_json(),
            "p_value": self.p_value,
            "adjusted_p": self.adjusted_p,
            "could_show": self.could_show,
            "verdict": self.verdict,
        }


def compare(
    tables: Mapping[str, ItemTable],
    *,
    generator: Callable[[str, str], np.random.Generator],
    pairs: Sequence[tuple[str, str]] | None = None,
    num_draws: int = NUM_DRAWS,
) -> list[Comparison]:
    """Compare `pairs` of models (default: all) on one measure; `generator` gives each pair its own random numbers."""
    pairs = list(combinations(tables, 2)) if pairs is None else list(pairs)
    differences = [
        paired_difference([tables[a]], [tables[b]], generator=generator(a, b), num_draws=num_draws) for a, b in pairs
    ]
    p_values = [_p_value(tables[a], tables[b]) for a, b in pairs]
    tested = iter(holm([p for p in p_values if p is not None]))
    adjusted = [None if p is None else next(tested) for p in p_values]
    return [
        Comparison(
            a=a,
            b=b,
            difference=difference,
            p_value=p_value,
            adjusted_p=adjusted_p,
            could_show=_could_show(tables[a], tables[b]),
            verdict=_verdict(difference, adjusted_p),
        )
        for (a, b), difference, p_value, adjusted_p in zip(pairs, differences, p_values, adjusted, strict=True)
    ]


def _p_value(a: ItemTable, b: ItemTable) -> float | None:
    """Return the clustered McNemar p-value; None without shared yes-or-no items: then the interval alone decides."""
    value = differences(a, b).value
    return mcnemar_clustered(a, b) if len(value) and bool(np.isin(value, (-1.0, 0.0, 1.0)).all()) else None


def _could_show(a: ItemTable, b: ItemTable) -> float | None:
    value = differences(a, b).value
    disagreement = float((value != 0).mean()) if len(value) else 0.0
    return smallest_difference(len(value), disagreement) if disagreement else None


def _verdict(difference: Estimate, adjusted_p: float | None) -> ComparisonVerdict:
    if difference.value is None or difference.low is None or difference.high is None:
        return "no data"
    if difference.low <= 0 <= difference.high or (adjusted_p is not None and adjusted_p >= 1 - LEVEL):
        return NO_DIFFERENCE
    return "higher" if difference.value > 0 else "lower"
