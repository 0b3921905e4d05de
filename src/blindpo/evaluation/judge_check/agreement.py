"""Kappa, precision, recall and flag rate with intervals over clusters; per model, per category; ranks of models."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blindpo.evaluation.judge_check.tables import NONE, Checked, Codes
from blindpo.stats.agreement import Confusion, cohen_kappa, fleiss_kappa, kendall, krippendorff_alpha
from blindpo.stats.clusters import ROUNDING, cluster_counts
from blindpo.stats.intervals import constant_interval

AGREEMENT_MEASURES: Final = ("kappa", "precision", "recall", "specificity", "flag_rate")
MOST_UNDEFINED: Final = 0.05
"""Where more of the resamples than this have no value, neither has the interval."""
Mask = NDArray[np.bool_]


class Resamples:
    """How often each cluster is drawn in each of D resamples; all judges are measured on the same ones."""

    def __init__(self, cluster: NDArray[np.int64], generator: np.random.Generator, num_draws: int) -> None:
        self._cluster = cluster
        self._counts_DC = cluster_counts(cluster, generator, num_draws)

    def num_clusters(self, within: Mask) -> int:
        """How many clusters the items `within` come from."""
        return len(np.unique(self._cluster[within]))

    def sums(self, flags: Mask) -> NDArray[np.float64]:
        """How many flagged items each resample holds."""
        per_cluster = np.bincount(self._cluster, weights=flags, minlength=self._counts_DC.shape[1])
        sums: NDArray[np.float64] = self._counts_DC @ per_cluster
        return sums

    def confusion(self, people: Mask, verdicts: Codes, within: Mask) -> tuple[Confusion, Confusion]:
        """Counts over the items `within` that have a verdict: as they are, and in each resample."""
        unsafe, safe, flagged, passed = people & within, ~people & within, verdicts == 1, verdicts == 0
        cells = {
            "both": unsafe & flagged,
            "judge_only": safe & flagged,
            "people_only": unsafe & passed,
            "neither": safe & passed,
        }
        return (
            Confusion(**{name: int(cell.sum()) for name, cell in cells.items()}),
            Confusion(**{name: self.sums(cell) for name, cell in cells.items()}),
        )


def judge_measures(
    checked: Checked, verdicts: Codes, resamples: Resamples, *, within: Mask | None = None
) -> dict[str, Any]:
    """The measures of one judge over the items `within`, with 95 % intervals, and how many items had no verdict."""
    within = np.ones(len(verdicts), dtype=bool) if within is None else within
    counts, drawn = resamples.confusion(checked.people, verdicts, within)
    values, draws = counts.measures(), drawn.measures()
    clusters = resamples.num_clusters(within & (verdicts != NONE))
    return {
        **{
            name: with_interval(float(values[name]), draws[name], clusters if name != "kappa" else 0)
            for name in AGREEMENT_MEASURES
        },
        "people_rate": none_if_nan(float(values["people_rate"])),
        "n": counts.total,
        "no_verdict": int((verdicts[within] == NONE).sum()),
    }


def with_interval(value: float, draws: NDArray[np.float64], clusters: int = 0) -> dict[str, float | None]:
    """Value, low and high; None where it is not defined, or too few resamples define it.

    Where all resamples are equal, a rate over `clusters` gets Wilson's limits on them, and what is no rate (0) none.
    """
    if np.isnan(value):
        return {"value": None, "low": None, "high": None}
    if np.isnan(draws).mean() > MOST_UNDEFINED:
        return {"value": value, "low": None, "high": None}
    low, high = np.nanquantile(draws, [0.025, 0.975])
    if np.nanmax(draws) - np.nanmin(draws) <= ROUNDING:
        if not clusters:
            return {"value": value, "low": None, "high": None}
        low, high = constant_interval(value, clusters, (0.0, 1.0))
    return {"value": value, "low": float(low), "high": float(high)}


def none_if_nan(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if np.isnan(value) else value


def rank_agreement(checked: Checked, verdicts: Codes, resamples: Resamples) -> dict[str, Any] | None:
    """How far the judge orders the models as people do; None without two models.

    tau is Kendall's tau-b; gamma leaves tied models out. `worst_model_error` is the largest distance between a model's
    flag rate and its human rate: differences between models that are smaller can be the judge's alone.
    """
    if checked.model is None or len(np.unique(checked.model)) < 2:
        return None
    names = np.unique(checked.model)
    pairs = [resamples.confusion(checked.people, verdicts, checked.model == name) for name in names]
    rates, draws = (
        [
            np.stack([np.atleast_1d(counts[position].measures()[kind]) for counts in pairs], axis=1)
            for kind in ("people_rate", "flag_rate")
        ]
        for position in (0, 1)
    )
    (tau,), (gamma,) = kendall(*rates)
    errors = np.abs(rates[1][0] - rates[0][0])
    if np.isnan(errors).all():
        return None
    return {
        "tau": with_interval(float(tau), kendall(*draws)[0]),
        "gamma": none_if_nan(float(gamma)),
        "num_models": len(names),
        "worst_model": str(names[int(np.nanargmax(errors))]),
        "worst_model_error": float(np.nanmax(errors)),
    }


def groups(values: NDArray[np.str_]) -> dict[str, Mask]:
    """Each value of a column with the items that have it, in order of the value."""
    return {str(value): values == value for value in np.unique(values)}


def people_among_themselves(checked: Checked, resamples: Resamples) -> dict[str, Any] | None:
    """How far two or more annotators agree: no judge can be asked for more. None without two of them."""
    if not checked.annotators:
        return None
    labels = [[None if code == NONE else int(code) for code in codes] for codes in checked.annotators]
    agreement: dict[str, Any] = {"krippendorff_alpha": krippendorff_alpha(labels)}
    if len(labels) == 2:
        first, second = checked.annotators
        both = (first != NONE) & (second != NONE)
        _, drawn = resamples.confusion(first == 1, second, first != NONE)
        value = cohen_kappa(first[both].tolist(), second[both].tolist())
        agreement["kappa"] = with_interval(np.nan if value is None else value, drawn.measures()["kappa"])
    return agreement


def judges_among_themselves(checked: Checked) -> dict[str, Any] | None:
    """How far the judges agree; None with fewer than two. Fleiss' kappa needs a verdict of each, alpha does not."""
    if len(checked.verdicts) < 2:
        return None
    codes_RN = np.stack(list(checked.verdicts.values()))
    whole = codes_RN[:, (codes_RN != NONE).all(axis=0)]
    counts = np.stack([(whole == 0).sum(axis=0), (whole == 1).sum(axis=0)], axis=1)
    return {
        "fleiss_kappa": fleiss_kappa(counts) if counts.size else None,
        "krippendorff_alpha": krippendorff_alpha([[None if c == NONE else int(c) for c in row] for row in codes_RN]),
        "items_with_all_verdicts": int(whole.shape[1]),
    }
