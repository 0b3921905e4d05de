"""Sums and shares over blind responses, by hand."""

from collections import Counter

from blindpo.blinding.checks import compare_with_chosen, lines, summarise, token_jaccard

NO = "Sorry, I can not help with that."


def test_compare_by_hand() -> None:
    same = {"refusals": 1, "compared": 1, "equal": 1, "near": 1, "chosen_refusals": 1, "both_refuse": 1}
    assert compare_with_chosen(f" {NO} ", NO) == same
    assert compare_with_chosen("Sure, take it.", NO) == {**dict.fromkeys(same, 0), "compared": 1, "chosen_refusals": 1}
    assert compare_with_chosen(NO, None) == {"refusals": 1}


def test_token_jaccard_by_hand() -> None:
    assert token_jaccard("A red ball.", "a blue ball") == 0.5
    assert token_jaccard("?", "!") == 0.0


def test_a_share_of_nothing_is_no_data() -> None:
    summary = summarise({}, rows=3, rejected=0)
    assert summary.equal_share is None
    assert summary.mean_tokens is None
    assert "0 blind responses, 0 cut" in list(lines(summary))
    assert "1 blind response, 0 cut" in list(lines(summarise({"responses": 1}, rows=3, rejected=0)))
    assert "no data" in "\n".join(lines(summary))
    assert summary.warnings == []


def test_a_warning_where_most_refuse_as_the_chosen_do() -> None:
    def summary(refusing: int) -> list[str]:
        counts: Counter[str] = Counter(responses=10)
        for number in range(10):
            counts.update(compare_with_chosen(NO if number < refusing else "Sure.", NO))
        return summarise(counts, rows=10, rejected=0).warnings

    assert summary(8) == []
    assert len(summary(9)) == 1
