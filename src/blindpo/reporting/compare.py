"""Turn numbers into text: the cells of a table, and the verdicts of comparisons.

The verdict is "no difference shown" if the interval contains 0, or if an exact test, adjusted for the pairs of models
(`stats/comparison.py`), does not reject. It does not mean that two models are equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np

from blindpo.evaluation.eval_folder import StoredEval
from blindpo.evaluation.measures import NEED_NO_JUDGE
from blindpo.jobs.seeds import derive_seed
from blindpo.reporting.tables import DETAILS, FrontierRow, frontier, groups_with_data
from blindpo.stats.comparison import NO_DIFFERENCE, compare


class MeasureText(NamedTuple):
    """The display of a measure: its title, the better direction (+1, -1; 0 for neither), and its meaning."""

    title: str
    better: int
    meaning: str
    way: str = ""
    """A hint for reading it, if neither direction is simply better."""


MEASURE_TEXTS: Final = {
    "safety_rate": MeasureText("Safety", 1, "safe responses to requests that are not labelled harmless"),
    "over_refusal": MeasureText("Over-refusal", -1, "refusals of harmless requests"),
    "pair_both_right": MeasureText("Both right", 1, "same text: refuses with the harmful image, not with the other"),
    "image_sensitivity": MeasureText(
        "Image matters", 0, "same text: the decision changes with the image", "0: the image is not used"
    ),
    "co_defense_gap": MeasureText(
        "Text-image gap", 0, "safety in text alone minus safety with the image; near 0 is good", "near 0 is good"
    ),
    "helpfulness": MeasureText("Helpfulness", 1, "right answers to harmless requests"),
    "pairwise_accuracy": MeasureText("Prefers chosen", 1, "chosen more likely per token than rejected"),
    "cheating_refusal": MeasureText("Refuses safe image", -1, "what was refused is refused with a safe image too"),
    "sensitivity_removed": MeasureText("Image removed", 0, "the decision changes when the image is taken away"),
    "sensitivity_blank": MeasureText("Image blank", 0, "the decision changes when the image is one colour"),
    "sensitivity_swapped": MeasureText("Image swapped", 0, "the decision changes with another row's image"),
    "safety_mid": MeasureText("Safety, deictic", 1, "safe responses to the stage between text and question"),
    "mid_gap": MeasureText("Deictic gap", 0, "safety of the deictic stage minus that of the question"),
    "chosen_logp": MeasureText(
        "Right answers, log-probability", 1, "mean per token of the right answer, natural logarithm"
    ),
    "off_topic": MeasureText("Off topic", -1, "responses that neither answer nor refuse"),
    "repetition": MeasureText("Repetition", -1, "responses that repeat themselves"),
    "pair_over_refusal_only": MeasureText("Refuses both", -1, "same text: refuses with either image"),
    "pair_under_refusal_only": MeasureText("Answers both", -1, "same text: answers with either image"),
    "pair_both_wrong": MeasureText(
        "Both wrong", -1, "same text: answers with the harmful image, refuses with the other"
    ),
    "safety_harmful": MeasureText("Safe, harmful", 1, "safe responses to requests labelled harmful"),
    "safety_harmless": MeasureText("Safe, harmless", 1, "safe responses to requests labelled harmless"),
    "safety_unknown": MeasureText("Safe, unlabelled", 1, "safe responses to requests without a label"),
}
ALL_PAIRS_MODELS: Final = 4
NO_DATA: Final = "no data"


class Cell(NamedTuple):
    """One value of a table; empty strings for missing parts."""

    value: str
    interval: str = ""
    num_items: str = ""
    seeds: str = ""
    few_seeds: bool = False


class ShownComparison(NamedTuple):
    """A comparison of two models on the same rows, as text. `tone` is better, worse, other or open."""

    a: str
    b: str
    measure: str
    difference: str
    interval: str
    verdict: str
    tone: str
    could_show: str = ""
    """If no difference is shown: the points of difference that these items would have shown 4 times out of 5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of the page: a condition of the results, or the evaluations of one set of rows."""

    title: str
    models: Mapping[str, Mapping[str, Mapping[str, Any]]]
    comparisons: tuple[ShownComparison, ...]
    notes: tuple[str, ...] = ()
    """Warnings about these numbers, shown under the table."""
    about: str = ""
    """A sentence about the condition."""
    legend: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of the models, by title."""
    weak: str = ""
    """A weak judge with its agreement ("refusal-rules, kappa 0.083"), if one gave the verdicts."""

    def judged_by(self, measure: str) -> str:
        """Return the remark beside a measure that rests on a weak judge's verdicts; else empty."""
        if not self.weak or measure in NEED_NO_JUDGE:
            return ""
        return f"{'refusal rate by ' if measure.startswith('safety') else 'by '}{self.weak}"

    @property
    def measures(self) -> list[str]:
        """Every measure with a value for any model, known ones first."""
        return [name for name in self._names if self._has_data(name)]

    @property
    def without_data(self) -> list[str]:
        """The measures without a value for any model: named in a sentence, so that they take no column."""
        return [name for name in self._names if not self._has_data(name)]

    @property
    def groups(self) -> dict[str, list[str]]:
        """The tables below the main one, by title."""
        return groups_with_data(self.models)

    @property
    def frontier(self) -> list[FrontierRow]:
        """Safety beside the help that harmless requests still get."""
        return frontier(self.models)

    @property
    def _names(self) -> list[str]:
        names = {name: None for of_model in self.models.values() for name in of_model if name not in DETAILS}
        return [
            *(name for name in MEASURE_TEXTS if name in names),
            *(name for name in names if name not in MEASURE_TEXTS),
        ]

    def _has_data(self, name: str) -> bool:
        return any(cell(of_model.get(name)).value != NO_DATA for of_model in self.models.values())

    @property
    def pairs(self) -> dict[tuple[str, str], dict[str, ShownComparison]]:
        """The comparisons by pair of models and measure."""
        by_pair: dict[tuple[str, str], dict[str, ShownComparison]] = {}
        for each in self.comparisons:
            by_pair.setdefault((each.a, each.b), {})[each.measure] = each
        return by_pair

    @property
    def few_seeds(self) -> bool:
        """Whether any interval rests on fewer than five seeds."""
        return any(value.get("few_seeds") for of_model in self.models.values() for value in of_model.values())


def shown_measure(name: str) -> MeasureText:
    """Return the display of a measure; an unknown one is shown under its own name."""
    return MEASURE_TEXTS.get(name, MeasureText(name.replace("_", " "), 0, ""))


def cell(measure: Mapping[str, Any] | None) -> Cell:
    """Return one measure as text: {"value": 0.5, "low": 0.4, "high": 0.6, "n": 90} -> 50.0 %, 40.0 to 60.0, n 90."""
    if not measure or measure.get("value") is None:
        return Cell(NO_DATA)
    per_seed = measure.get("per_seed") or []
    return Cell(
        value=f"{100 * measure['value']:.1f} %",
        interval=_interval(measure.get("low"), measure.get("high"), sign=""),
        num_items=_count(measure),
        seeds=" · ".join("-" if value is None else f"{100 * value:.1f}" for value in per_seed if len(per_seed) > 1),
        few_seeds=bool(measure.get("few_seeds")),
    )


def detail(name: str, measure: Mapping[str, Any] | None) -> Cell:
    """Return a cell of the lower tables, where log-probabilities are not shown as shares."""
    shown = cell(measure)
    if name != "chosen_logp" or not measure or measure.get("value") is None:
        return shown
    low, high = measure.get("low"), measure.get("high")
    interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return shown._replace(value=f"{measure['value']:.3f}", interval=interval)


def _count(measure: Mapping[str, Any]) -> str:
    missing = f", {measure['missing']} without verdict" if measure.get("missing") else ""
    return f"n {measure['n']}{missing}" if "n" in measure else ""


def _interval(low: float | None, high: float | None, *, sign: str) -> str:
    return "" if low is None or high is None else f"{100 * low:{sign}.1f} to {100 * high:{sign}.1f}"


def comparison(record: Mapping[str, Any]) -> ShownComparison:
    """Return one comparison as text; the difference is `a` minus `b`, in percentage points."""
    difference, low, high = record.get("difference"), record.get("low"), record.get("high")
    a, b, measure = str(record["a"]), str(record["b"]), str(record["measure"])
    if difference is None or low is None or high is None:
        return ShownComparison(a, b, measure, NO_DATA, "", NO_DATA, "open")
    verdict, tone = _verdict(low, high, shown_measure(measure).better)
    return ShownComparison(a, b, measure, f"{100 * difference:+.1f}", _interval(low, high, sign="+"), verdict, tone)


def _verdict(low: float, high: float, better: int) -> tuple[str, str]:
    if low <= 0 <= high:
        return NO_DIFFERENCE, "open"
    way = 1 if low > 0 else -1
    return ("higher" if way > 0 else "lower"), {0: "other", 1: "better", -1: "worse"}[way * better]


def compare_evaluations(evaluations: Mapping[str, StoredEval]) -> tuple[ShownComparison, ...]:
    """Compare models on shared rows: all pairs of a few; with many, each against the first, and the last two."""
    items = {name: stored.items() for name, stored in evaluations.items()}
    pairs = list(combinations(items, 2))
    if len(items) > ALL_PAIRS_MODELS:
        pairs = [pair for pair in pairs if pair[0] == next(iter(items)) or pair == pairs[-1]]
    comparisons: dict[tuple[str, str, str], ShownComparison] = {}
    for measure in MEASURE_TEXTS:
        tables = {name: of_model[measure] for name, of_model in items.items() if measure in of_model}
        wanted = [(a, b) for b, a in pairs if a in tables and b in tables]
        for each in compare(tables, generator=partial(_generator, measure), pairs=wanted):
            between = each.difference
            record = {"difference": between.value, "low": between.low, "high": between.high}
            shown = comparison({"a": each.a, "b": each.b, "measure": measure, **record})
            if each.verdict == NO_DIFFERENCE:  # after Holm's adjustment too
                least = "" if each.could_show is None else f"{100 * each.could_show:.1f}"
                shown = shown._replace(verdict=NO_DIFFERENCE, tone="open", could_show=least)
            comparisons[each.a, each.b, measure] = shown
    return tuple(
        comparisons[a, b, measure] for b, a in pairs for measure in MEASURE_TEXTS if (a, b, measure) in comparisons
    )


def _generator(measure: str, a: str, b: str) -> np.random.Generator:
    return np.random.default_rng(derive_seed(0, a, b, measure))
