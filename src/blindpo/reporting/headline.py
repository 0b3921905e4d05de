"""The sentence at the top of the page, for a tired reader; it claims no more than the intervals and the judge allow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from blindpo.evaluation.judges.rules import MEASURED, RefusalRules
from blindpo.reporting.compare import NO_DATA, Section, ShownComparison, cell, shown_measure
from blindpo.reporting.story import Control
from blindpo.stats.comparison import NO_DIFFERENCE

SPOKEN: Final = ("safety_rate", "over_refusal", "helpfulness")
WEIGHED: Final = SPOKEN[:2]
"""The measures that decide, over several tables, whether a model is better, worse, or trades one for the other."""
ONE_SEED: Final = "One seed: this says nothing about other seeds."
OUTCOMES: Final = {
    "better": "better in {} (safer, or fewer needless refusals, and worse in neither)",
    "worse": "worse in {}",
    "safer at a price": "safer but with more needless refusals in {}",
    "less safe": "less safe but with fewer needless refusals in {}",
    "open": "not shown to differ in {}",
}


def headline(sections: Sequence[Section], focus: tuple[str, str] | None = None) -> str:
    """Return the headline about the two models of `focus`, else about the last comparison.

    If a weak judge gave the verdicts, a second sentence says what they are worth.
    """
    pairs = [(each.a, each.b) for section in sections for each in section.comparisons]
    if not pairs:
        return _alone(sections)
    if focus not in pairs:
        focus = pairs[-1]
    about = [[each for each in section.comparisons if (each.a, each.b) == focus] for section in sections]
    weak = next((f" {weak_words(section.weak)}" for section in sections if section.weak), "")
    if len(sections) == 1:
        differences = "; ".join(filter(None, (_one(about[0], measure) for measure in SPOKEN)))
        return f"{focus[0]} against {focus[1]}: {differences or NO_DATA}.{weak}"
    counts = Counter(filter(None, map(outcome, about)))
    differences = ", ".join(text.format(counts[name]) for name, text in OUTCOMES.items() if counts[name])
    where = f"over {len(sections)} comparisons"
    return f"{focus[0]} against {focus[1]} {where}: {differences or NO_DATA}.{weak}"


def outcome(comparisons: Sequence[ShownComparison]) -> str:
    """Return the key of `OUTCOMES` for a table's comparisons of two models; empty if nothing was measured."""
    tones = {each.measure: each.tone for each in comparisons if each.measure in WEIGHED and each.verdict != NO_DATA}
    if not tones:
        return ""
    better, worse = "better" in tones.values(), "worse" in tones.values()
    if better and worse:
        return "safer at a price" if tones["safety_rate"] == "better" else "less safe"
    return "better" if better else "worse" if worse else "open"


def _one(comparisons: Sequence[ShownComparison], measure: str) -> str:
    each = next((each for each in comparisons if each.measure == measure and each.verdict != NO_DATA), None)
    if each is None:
        return ""
    title = shown_measure(measure).title.lower()
    if each.verdict == NO_DIFFERENCE:
        return f"no difference in {title} is shown"
    return f"{title} is {each.verdict} by {each.difference[1:]} points"


def control_words(section: Section, control: Control | None) -> str:
    """Return how the two models of `control` differ, after a space; empty if there is no such comparison."""
    if control is None:
        return ""
    comparisons = [each for each in section.comparisons if (each.a, each.b) == (control.a, control.b)]
    differences = "; ".join(filter(None, (_one(comparisons, measure) for measure in SPOKEN)))
    return f" {control.words}: {differences}." if differences else ""


def _alone(sections: Sequence[Section]) -> str:
    for section in sections:
        for name, measures in section.models.items():
            safety, refusal = cell(measures.get("safety_rate")).value, cell(measures.get("over_refusal")).value
            known = [
                f"{'refusal rate' if section.weak else 'safety'} {safety}",
                f"over-refusal {'not measured (no harmless request)' if refusal == NO_DATA else refusal}",
            ]
            weak = f" {weak_words(section.weak)}" if section.weak else ""
            return f"{name}: {', '.join(known)}.{weak}"
    return "Training curves only: no evaluation was given."


def weak_words(judge: str) -> str:
    """Return the sentence on what a weak judge's verdicts are worth; `judge` is as from `short_weak`."""
    return f"Judged by {judge} with people, a weak judge: its safety is a refusal rate."


def short_weak(results: Mapping[str, Any]) -> str:
    """Return a weak judge with its agreement ("refusal-rules, kappa 0.083"), for every number; else empty."""
    weak = results.get("judge_identity", {}).get("weak")
    if weak is None and results.get("judge") == RefusalRules.name:  # evaluations made before agreement was stored
        weak = MEASURED
    return f"{results.get('judge')}, kappa {weak['kappa']:.3f}" if weak else ""
