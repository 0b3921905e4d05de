"""Numbers into words, by hand."""

import pytest

from blindpo.report.compare import Section, cell, comparison, headline, in_order


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
        "BPO against DPO in 3 conditions: over-refusal is higher in 1, is lower in 1, no difference shown in 1."
    )
    assert headline(sections(compared(-0.3, 0.1))) == "BPO against DPO: no difference in over-refusal is shown."


def test_the_headline_takes_the_last_pair_where_the_two_methods_are_not_there() -> None:
    assert headline(sections(compared(0.1, 0.2, "safety_rate", ("mine", "base")))) == (
        "mine against Base: safety is higher by 15.0 points."
    )
    nothing = {"a": "mine", "b": "base", "measure": "safety_rate", "difference": None, "low": None, "high": None}
    assert headline(sections(nothing)) == "mine against Base: no data."


def test_known_models_stand_in_the_order_of_the_story() -> None:
    assert list(in_order(dict.fromkeys(["bpo", "zeta", "base", "alpha", "dpo"]))) == [
        "base",
        "dpo",
        "bpo",
        "zeta",
        "alpha",
    ]


def test_a_measure_that_nobody_has_a_value_of_is_named_but_takes_no_column() -> None:
    half = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    models = {"a": {"safety_rate": half, "helpfulness": None}, "b": {"over_refusal": half, "pairwise_accuracy": None}}
    section = Section(title="t", models=models, comparisons=())
    assert section.measures == ["safety_rate", "over_refusal"]
    assert section.without_data == ["helpfulness", "pairwise_accuracy"]
