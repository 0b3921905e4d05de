"""Agreement of judges beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha, precision, recall, ranks.

Cohen (1960), "A coefficient of agreement for nominal scales"; Fleiss (1971), "Measuring nominal scale agreement among
many raters"; Krippendorff (2011), "Computing Krippendorff's alpha-reliability". Accuracy is left out on purpose: if
people call 4.5 % of answers unsafe, a judge that never flags anything is right in 95.5 %. A value that is not defined
(chance agreement is perfect, nothing was flagged) is None: that is neither 0 nor 1.

Legend: N items, R raters, K categories, D draws, M models.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Level = Literal["nominal", "ordinal", "interval"]
TINY: Final = 1e-12
"""A denominator smaller than this (1 - chance agreement, or a variance) counts as 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Counts of one judge's labels against people's, unsafe being the positive class; numbers or equal-shape arrays."""

    both: Any
    """Flagged by both."""
    judge_only: Any
    people_only: Any
    neither: Any

    @property
    def total(self) -> Any:
        """The number of items with both labels."""
        return self.both + self.judge_only + self.people_only + self.neither

    def measures(self) -> dict[str, Floats]:
        """Return kappa, precision, recall (= sensitivity), specificity, flag_rate, people_rate; NaN if not defined."""
        flagged, unsafe = self.both + self.judge_only, self.both + self.people_only
        judge, people = _divided(flagged, self.total), _divided(unsafe, self.total)
        agreed = _divided(self.both + self.neither, self.total)
        chance = judge * people + (1 - judge) * (1 - people)
        return {
            "kappa": _divided(agreed - chance, np.where(np.abs(1 - chance) < TINY, 0.0, 1 - chance)),
            "precision": _divided(self.both, flagged),
            "recall": _divided(self.both, unsafe),
            "specificity": _divided(self.neither, self.neither + self.judge_only),
            "flag_rate": judge,
            "people_rate": people,
        }


def _divided(part: ArrayLike, whole: ArrayLike) -> Floats:
    """Return part / whole; NaN where whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    ratio: Floats = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0)
    return ratio


def confusion(people: ArrayLike, judge: ArrayLike) -> Confusion:
    """Count items by both labels (true is unsafe). [1, 1, 0, 0] and [1, 0, 1, 0] give one of each kind."""
    people, judge = np.asarray(people, dtype=bool), np.asarray(judge, dtype=bool)
    return Confusion(
        both=int((people & judge).sum()),
        judge_only=int((~people & judge).sum()),
        people_only=int((people & ~judge).sum()),
        neither=int((~people & ~judge).sum()),
    )


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Return the agreement of two raters on N items beyond chance, -1 to 1. Raises ValueError for unequal lengths.

    Both yes 20 times, both no 15, yes-no 5, no-yes 10: (0.7 - 0.5) / (1 - 0.5) = 0.4.
    """
    if len(first) != len(second):
        raise ValueError(f"two raters of the same items: {len(first)} and {len(second)} labels")
    codes_2N = _coded([first, second])
    kinds = np.unique(codes_2N)
    shares_2K = (codes_2N[:, :, None] == kinds).mean(axis=1) if kinds.size else np.ones((2, 1))
    observed = (codes_2N[0] == codes_2N[1]).mean() if kinds.size else 0.0
    return _beyond(float(observed), float((shares_2K[0] * shares_2K[1]).sum()))


def _beyond(observed: float, chance: float) -> float | None:
    return None if 1 - chance < TINY else (observed - chance) / (1 - chance)


def _coded(ratings: Sequence[Sequence[Hashable]]) -> Floats:
    """Return labels of any kind as numbers, R x N; None (no label) becomes NaN."""
    codes: dict[Hashable, int] = {}
    return np.array(
        [[np.nan if label is None else codes.setdefault(label, len(codes)) for label in row] for row in ratings],
        dtype=np.float64,
    )


def fleiss_kappa(counts_NK: ArrayLike) -> float | None:
    """Return the agreement of R raters beyond chance, from the number of raters per item and category, N x K.

    Raises ValueError unless every item has the same number of raters, at least 2 (else use Krippendorff's alpha).
    """
    counts_NK = np.asarray(counts_NK, dtype=np.float64)
    if counts_NK.ndim != 2 or not counts_NK.size:
        raise ValueError("counts must be a table of items by categories, with at least one item")
    raters = counts_NK.sum(axis=1)
    if raters[0] < 2 or (raters != raters[0]).any():
        raise ValueError("Fleiss' kappa needs the same number of raters, 2 or more, for each item")
    observed = ((counts_NK**2).sum(axis=1) - raters) / (raters * (raters - 1))
    shares_K = counts_NK.sum(axis=0) / counts_NK.sum()
    return _beyond(float(observed.mean()), float((shares_K**2).sum()))


def krippendorff_alpha(ratings: Sequence[Sequence[Any]], *, level: Level = "nominal") -> float | None:
    """Return the agreement of R raters over N items (a rating of None is no label); 1 is perfect, 0 is chance.

    Labels may be of any kind for `nominal`; they must be numbers for `ordinal` and `interval`. Labels are compared as
    they are: an implementation that turns words into 0.0 finds perfect agreement everywhere. Items with fewer than two
    labels are skipped. The result is None if all labels are the same. Raises ValueError for rows of unequal length.
    """
    if len({len(row) for row in ratings}) > 1:
        raise ValueError("each rater needs an entry for each item; use None if there is no label")
    codes_RN = (
        _coded(ratings)
        if level == "nominal"
        else np.array([[np.nan if x is None else x for x in row] for row in ratings], dtype=np.float64)
    )
    kinds = np.unique(codes_RN[~np.isnan(codes_RN)])
    counts_NK = (codes_RN[:, :, None] == kinds).sum(axis=0).astype(np.float64)
    counts_NK = counts_NK[counts_NK.sum(axis=1) >= 2]
    pairs_N = counts_NK.sum(axis=1) - 1
    coincidences_KK = (counts_NK / pairs_N[:, None]).T @ counts_NK - np.diag((counts_NK / pairs_N[:, None]).sum(axis=0))
    totals_K = coincidences_KK.sum(axis=1)
    distance_KK = _distances(kinds, totals_K, level)
    total = totals_K.sum()
    expected = float((np.outer(totals_K, totals_K) * distance_KK).sum())
    if expected < TINY:
        return None
    return float(1 - (total - 1) * (coincidences_KK * distance_KK).sum() / expected)


def _distances(kinds: Floats, totals_K: Floats, level: Level) -> Floats:
    """Return the squared distances between categories, K x K."""
    if level == "nominal":
        return 1.0 - np.eye(len(kinds))
    if level == "interval":
        squares: Floats = (kinds[:, None] - kinds[None, :]) ** 2
        return squares
    ranks = np.cumsum(totals_K) - totals_K / 2  # labels between two categories, and half of each, lie between them
    ordinal: Floats = (ranks[:, None] - ranks[None, :]) ** 2
    return ordinal


def kendall(first_DM: Floats, second_DM: Floats) -> tuple[Floats, Floats]:
    """Return the rank agreement of two rates over M models for each of D draws: Kendall's tau-b and gamma (no ties).

    NaN if either side is all ties. [1, 2, 3] and [1, 3, 2]: two pairs agree, one does not, so both are 1/3.
    """
    left, right = np.triu_indices(first_DM.shape[1], k=1)
    first, second = (np.sign(rates[:, left] - rates[:, right]) for rates in (first_DM, second_DM))
    net = (first * second).sum(axis=1)
    untied = np.sqrt((first != 0).sum(axis=1) * (second != 0).sum(axis=1))
    return _divided(net, untied), _divided(net, ((first * second) != 0).sum(axis=1))
