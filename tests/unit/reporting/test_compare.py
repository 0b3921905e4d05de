"""Numbers into words, by hand."""

import pytest

from blindpo.reporting.compare import Section, cell, comparison
from blindpo.reporting.headline import control_words, headline, outcome
from blindpo.reporting.story import Control, in_order


def compared(low: float, high: float, measure: str = "over_refusal", pair: tuple[str, str] = ("bpo", "dpo")) -> dict:
    found = {"difference": (low + high) / 2, "low": low, "high": high}
    return {"a": pair[0], "b": pair[1], "measure": measure, **found}


def test_a_cell() -> None:
    shown = cell({"value": 0.5, "low": 0.4, "high": 0.625, "n": 90, "per_seed": [0.5, None], "few_seeds": True})
    assert shown == ("50.0 %", "40.0 to 62.5", "n 90", "50.0 · -", True)
    assert cell({"value": 1, "low": 0.4, "high": 1, "n": 2, "missing": 3}).num_items == "n 2, 3 without verdict"
    assert cell({"value": None, "n": 0, "no_data": True}) == cell(None) == ("no data", "", "", "", False)


@pytest.mark.parametrize(
    ("measure", "low", "high", "verdict", "tone"),
    [
        ("over_refusal", -0.3, -0.1, "lower", "better"),
        ("over_refusal", 0.1, 0.3, "higher", "worse"),
        ("safety_rate", 0.1, 0.3, "higher", "better"),
        ("safety_rate", -0.3, -0.1, "lower", "worse"),
        ("co_defense_gap", 0.1, 0.3, "higher", "other"),
        ("safety_rate", -0.1, 0.3, "no difference shown", "open"),
        ("safety_rate", 0.0, 0.3, "no difference shown", "open"),
    ],
)
def test_the_verdict_reads_the_interval(measure: str, low: float, high: float, verdict: str, tone: str) -> None:
    shown = comparison(compared(low, high, measure))
    assert (shown.verdict, shown.tone) == (verdict, tone)


def test_a_comparison_is_in_points() -> None:
    shown = comparison(compared(-0.3, -0.1))
    assert (shown.difference, shown.interval) == ("-20.0", "-30.0 to -10.0")


def sections(*found: dict) -> list[Section]:
    return [Section(title=str(n), models={}, comparisons=(comparison(each),)) for n, each in enumerate(found)]


def test_the_headline_counts_what_was_shown() -> None:
    said = headline(sections(compared(-0.3, -0.1), compared(-0.3, 0.1), compared(0.1, 0.2)))
    assert said == (
        "bpo against dpo over 3 comparisons: better in 1 (safer, or fewer needless refusals, and worse in neither), "
        "worse in 1, not shown to differ in 1."
    )
    assert headline(sections(compared(-0.3, 0.1))) == "bpo against dpo: no difference in over-refusal is shown."


@pytest.mark.parametrize(
    ("safety", "refusal", "said"),
    [
        ((0.1, 0.3), (-0.3, 0.1), "better"),
        ((0.1, 0.3), (0.1, 0.3), "safer at a price"),
        ((-0.3, -0.1), (-0.3, -0.1), "less safe"),
        ((-0.3, 0.1), (0.1, 0.3), "worse"),
        ((-0.3, 0.1), (-0.3, 0.1), "open"),
    ],
)
def test_what_a_table_comes_to(safety: tuple[float, float], refusal: tuple[float, float], said: str) -> None:
    found = [comparison(compared(*safety, "safety_rate")), comparison(compared(*refusal))]
    assert outcome(found) == said and outcome([]) == ""


def test_a_weak_judge_stands_in_the_headline_and_beside_its_measures() -> None:
    rate = {"value": 0.72, "low": 0.6, "high": 0.8, "n": 9}
    models = {"bpo": {"safety_rate": rate, "pairwise_accuracy": rate, "over_refusal": None}}
    section = Section(title="t", models=models, comparisons=(), weak="refusal-rules, kappa 0.083")
    assert headline([section]) == (
        "bpo: refusal rate 72.0 %, over-refusal not measured (no harmless request). "
        "Judged by refusal-rules, kappa 0.083 with people, a weak judge: its safety is a refusal rate."
    )
    compared_too = Section(title="t", models={}, comparisons=(comparison(compared(0.1, 0.2)),), weak=section.weak)
    assert headline([compared_too]).endswith("a weak judge: its safety is a refusal rate.")
    assert section.judged_by("safety_rate") == "refusal rate by refusal-rules, kappa 0.083"
    assert section.judged_by("over_refusal") == "by refusal-rules, kappa 0.083"
    assert section.judged_by("pairwise_accuracy") == "" == Section(title="t", models={}, comparisons=()).judged_by("x")
    assert headline([Section(title="t", models=models, comparisons=())]).startswith("bpo: safety 72.0 %, over-refusal")


def test_the_headline_is_about_the_focus_else_about_the_last_pair() -> None:
    both = sections(compared(0.1, 0.2), compared(0.1, 0.2, "safety_rate", ("x", "y")))
    assert headline(both, ("bpo", "dpo")).startswith("bpo against dpo over 2")
    assert headline(both, ("dpo", "bpo")).startswith("x against y") and headline(both).startswith("x against y")
    assert headline(sections(compared(0.1, 0.2, "safety_rate", ("mine", "base")))) == (
        "mine against base: safety is higher by 15.0 points."
    )
    nothing = {"a": "mine", "b": "base", "measure": "safety_rate", "difference": None, "low": None, "high": None}
    assert headline(sections(nothing)) == "mine against base: no data."


def test_the_control_is_spoken_of_where_it_is_there() -> None:
    (section,) = sections(compared(-0.1, 0.2, "safety_rate", ("bpo", "sight")))
    control = Control("bpo", "sight", "Ours against theirs")
    assert control_words(section, control) == " Ours against theirs: no difference in safety is shown."
    assert control_words(section, None) == "" == control_words(*sections(compared(0.1, 0.2)), control)


def test_known_models_stand_in_the_order_of_the_story() -> None:
    names = in_order(["bpo", "zeta", "base", "alpha", "dpo"], ["base", "dpo", "bpo", "unseen"])
    assert names == ["base", "dpo", "bpo", "zeta", "alpha"]


def test_a_measure_that_nobody_has_a_value_of_is_named_but_takes_no_column() -> None:
    half = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    models = {"a": {"safety_rate": half, "helpfulness": None}, "b": {"over_refusal": half, "pairwise_accuracy": None}}
    section = Section(title="t", models=models, comparisons=())
    assert section.measures == ["safety_rate", "over_refusal"]
    assert section.without_data == ["helpfulness", "pairwise_accuracy"]
