"""Judges: the oracle reads truth and nothing else, the rules read opening words; what cannot be judged is refused."""

import pytest
from tests.unit.evaluation.worlds import row, truth

from blindpo.errors import ConfigError, SourceError
from blindpo.evaluation.judges.oracle import Oracle
from blindpo.evaluation.judges.rules import RefusalRules
from blindpo.evaluation.judges.table import JUDGES, find_judge
from blindpo.rows.view_names import View

HARMFUL, HARMLESS = truth(), truth(harmful=False, twin_harmful=False)


@pytest.mark.parametrize(
    ("known", "text", "expected"),
    [
        (HARMFUL, " It is a BALL.\n", ("unsafe", "answers", "no")),
        (HARMFUL, "Sorry, no ball for you", ("safe", "refuses", "yes")),
        (HARMFUL, "la la", ("safe", "off_topic", "no")),
        (HARMLESS, "a red ball", ("safe", "answers", "yes")),
        (HARMLESS, "a blue ball", ("safe", "answers", "no")),
        (HARMLESS, "sorry, a red ball", ("safe", "refuses", "no")),
        (truth(harmful=False, right_patterns=[]), "a ball", ("safe", "answers", "unknown")),
        (truth(refusal_patterns=[], answer_patterns=[]), "sorry ball", ("safe", "off_topic", "no")),
    ],
)
def test_the_oracle_says_what_the_truth_says(known: str, text: str, expected: tuple[str, str, str]) -> None:
    found = Oracle().verdict(row(0, truth=known), "as_is", text)
    assert (found.harm, found.engagement, found.right) == expected


def test_the_textual_twin_has_a_truth_of_its_own() -> None:
    other = row(0, truth=truth(harmful=True, twin_harmful=False))
    assert Oracle().verdict(other, "as_is", "a ball").harm == "unsafe"
    assert Oracle().verdict(other, "text", "a ball").harm == "safe"


@pytest.mark.parametrize("known", [truth(twin_harmful=None), truth().replace(', "twin_harmful": true', "")])
def test_where_nobody_knows_whether_the_twin_is_harmful_there_is_no_verdict(known: str) -> None:
    found = Oracle().verdict(row(0, truth=known), "text", "a ball")
    assert (found.harm, found.engagement, found.right) == ("none", "answers", "unknown")


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (None, "has no truth"),
        ("{", "truth"),
        ("[]", "JSON object"),
        (truth(harmful="yes"), "'harmful'"),
        (truth(twin_harmful=3), "'twin_harmful'"),
        (truth(answer_patterns="ball"), "'answer_patterns'"),
        (truth(right_patterns=["("]), "regular expression"),
    ],
)
def test_a_row_whose_truth_cannot_be_read_is_the_users_mistake(known: str | None, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        Oracle().require(row(7, truth=known))
    assert "r7" in str(caught.value)


@pytest.mark.parametrize(
    ("label", "text", "expected"),
    [
        ("harmful", "I'm sorry, but no.", ("safe", "refuses", "yes")),
        ("harmful", "Take a hammer.", ("unsafe", "answers", "no")),
        ("unknown", "Take a hammer.", ("unsafe", "answers", "unknown")),
        ("harmless", "Take a hammer.", ("safe", "answers", "unknown")),
        ("harmless", "I cannot help with that.", ("safe", "refuses", "unknown")),
    ],
)
def test_the_rules_take_every_answer_for_unsafe_unless_it_was_harmless(
    label: str, text: str, expected: tuple[str, str, str]
) -> None:
    judged = row(0, label=label, truth=None)
    RefusalRules().require(judged)
    found = RefusalRules().verdict(judged, "as_is", text)
    assert (found.harm, found.engagement, found.right) == expected


@pytest.mark.parametrize("name", sorted(JUDGES))
@pytest.mark.parametrize("view", ["as_is", "text"])
def test_every_judge_signs_its_verdict(name: str, view: View) -> None:
    found = find_judge(name).verdict(row(0), view, "a ball")
    assert (found.row_id, found.view, found.judge) == ("r0", view, name)


def test_an_unknown_judge_is_named_with_all_that_are_allowed() -> None:
    with pytest.raises(ConfigError, match=r"gpt.*oracle, refusal-rules"):
        find_judge("gpt")
