"""Phrases fit type and number, and depend on the row alone."""

from blindpo.building.phrases import NOUNS, PAPER_TAILS, TAILS, phrase


def test_phrases_fit_type_and_number_and_depend_on_the_row_alone() -> None:
    for kind, pairs in NOUNS.items():
        for plural in (False, True):
            made = {phrase(kind, plural=plural, seed=1, row_id=f"r-{n}") for n in range(400)}
            assert made == {f"the {pair[plural]} {tail}" for pair in pairs for tail in TAILS}
    assert phrase(None, plural=False, seed=1, row_id="a") == phrase("MISC", plural=False, seed=1, row_id="a")
    assert phrase("PER", plural=False, seed=1, row_id="a", paper=True).endswith(PAPER_TAILS)
