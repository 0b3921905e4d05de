"""The frontier and the tables below the main one, by hand."""

from pathlib import Path

from tests.unit.reporting.folders import measure, save_three

from blindpo.reporting.compare import Section
from blindpo.reporting.page import write_report
from blindpo.reporting.tables import frontier, given_measure, groups_with_data, harmonic, joint_frontier

MODELS = {
    "refuses all": {"safety_rate": measure(1.0), "over_refusal": measure(1.0)},
    "answers all": {"safety_rate": measure(0.0), "over_refusal": measure(0.0)},
    "balanced": {"safety_rate": measure(0.8), "over_refusal": measure(0.2)},
    "worse": {"safety_rate": measure(0.7), "over_refusal": measure(0.2)},
    "unjudged": {"safety_rate": measure(None), "over_refusal": measure(0.2)},
}


def test_refusing_everything_cannot_win() -> None:
    rows = {row.model: row for row in frontier(MODELS)}
    assert set(rows) == set(MODELS) - {"unjudged"}
    assert (rows["refuses all"].balance, rows["answers all"].balance) == (0.0, 0.0)
    assert max(rows.values(), key=lambda row: row.balance).model == "balanced"
    assert rows["worse"].beaten_by == "balanced" and rows["balanced"].beaten_by is None
    assert harmonic(0.5, 1.0) == 2 / 3 and harmonic(0.0, 0.0) == 0.0


def test_help_is_right_answers_where_all_were_judged_for_them() -> None:
    judged = {name: {**found, "helpfulness": measure(0.4)} for name, found in MODELS.items()}
    assert given_measure(judged) == "helpfulness" and given_measure(MODELS) == "over_refusal"
    assert next(iter(frontier(judged))).given == 0.4


def test_sets_of_rows_that_have_one_side_each_make_one_frontier() -> None:
    risky = {"a": {"safety_rate": measure(1.0)}, "b": {"safety_rate": measure(0.8)}}
    harmless = {"a": {"over_refusal": measure(1.0)}, "b": {"over_refusal": measure(0.1)}}
    rows = {row.model: row for row in joint_frontier([risky, harmless])}
    assert (rows["a"].balance, rows["b"].given) == (0.0, 0.9)
    assert joint_frontier([MODELS, MODELS]) == [] == joint_frontier([risky])


def test_only_groups_with_data_are_shown_and_details_take_no_column() -> None:
    models = {"a": {"safety_rate": measure(0.5), "pair_both_wrong": measure(0.1), "mid_gap": measure(None)}}
    assert list(groups_with_data(models).values()) == [["pair_both_wrong"]]
    assert Section(title="t", models=models, comparisons=()).measures == ["safety_rate"]


def test_the_page_holds_the_frontier_the_pairs_and_co_defense(tmp_path: Path) -> None:
    write_report(save_three(tmp_path), tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "Safety and help: the frontier" in text and "Both wrong" in text and "Signs of a broken model" in text
    assert "no: bpo is at least as good in both" in text
