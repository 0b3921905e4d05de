"""The two templates: what the text says in place of the name, and where the image stands."""

import pytest
from tests.unit.building.drafts import draft_of, turns_of

from blindpo.building.config import BuildConfig
from blindpo.building.grammar import is_plural, mentions_of, put, put_all
from blindpo.building.phrases import NOUNS, PAPER_TAILS, TAILS, phrase
from blindpo.building.rephrase import Template, default_prompt, paper_prompt, short_phrase
from blindpo.rows.row import IMAGE

WORDS = "the thing in the image"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is X big?", "Is the thing in the image big?"),
        ("X is big.", "The thing in the image is big."),
        ("Yes. X is.", "Yes. The thing in the image is."),
        ("I met an X", "I met the thing in the image"),
        ("The X is old", "The thing in the image is old"),
        ("my X broke", "my thing in the image broke"),
        ("all X are", "all thing in the image are"),
        ("a rich X", "a rich thing in the image"),
        ("rich X", "rich thing in the image"),
        ("a man named X", "a man named the thing in the image"),
        ("X's hat", "The thing in the image's hat"),
        ('"X" said', '"The thing in the image" said'),
    ],
)
def test_determiners_and_capitals_are_mended(text: str, expected: str) -> None:
    start = text.index("X")
    assert put(text, start, start + 1, WORDS) == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("Are Lumens bright?", "Lumens", True),
        ("Lumens are bright", "Lumens", True),
        ("those Vance", "Vance", True),
        ("two Lumens", "Lumens", True),
        ("Are Texas roads wide?", "Texas", True),  # a rule of thumb has its price
        ("Lumens shine", "Lumens", False),
        ("Paris are", "Paris", False),
        ("Is Eldoria old?", "Eldoria", False),
    ],
)
def test_number(text: str, name: str, expected: bool) -> None:
    start = text.index(name)
    assert is_plural(text, start, start + len(name)) is expected


def test_mentions_are_on_word_bounds_and_folded() -> None:
    assert mentions_of("PORT  QUILL, port_quill; Port Quills", "Port Quill") == [(0, 11), (13, 23)]
    assert mentions_of("anything", " ") == []
    assert put_all("X and X", "X", "the one", "the other") == "The one and the other"


def test_phrases_fit_type_and_number_and_depend_on_the_row_alone() -> None:
    for kind, pairs in NOUNS.items():
        for plural in (False, True):
            made = {phrase(kind, plural=plural, seed=1, row_id=f"r-{n}") for n in range(400)}
            assert made == {f"the {pair[plural]} {tail}" for pair in pairs for tail in TAILS}
    assert phrase(None, plural=False, seed=1, row_id="a") == phrase("MISC", plural=False, seed=1, row_id="a")
    assert phrase("PER", plural=False, seed=1, row_id="a", paper=True).endswith(PAPER_TAILS)


def test_paper_leaves_the_history_and_replaces_once() -> None:
    turns = turns_of("Is X old?", "X is.", "And X or X?")
    made = paper_prompt(turns, "X", WORDS)
    assert made[:2] == turns[:2] and made[2].content == (IMAGE, f"And {WORDS} or X?")
    repeated = paper_prompt(turns_of("X?", "Yes", "X?"), "X", WORDS)
    assert repeated[0].content == (f"{WORDS}?",)


def test_default_moves_the_image_to_the_first_mention() -> None:
    made = default_prompt(turns_of("Hi", "Hi", "Is X old?", "X is.", "And X?"), "X", "the figure shown in the photo")
    assert [turn.num_images for turn in made] == [0, 0, 1, 0, 0]
    assert [turn.text for turn in made[2:]] == [
        "Is the figure shown in the photo old?",
        "The figure in the photo is.",
        "And the figure in the photo?",
    ]
    named_by_assistant = default_prompt(turns_of("Hi", "I am X", "Is X old?"), "X", WORDS)
    assert [turn.num_images for turn in named_by_assistant] == [1, 0, 0]


def test_short_phrases() -> None:
    assert short_phrase("the region visible in the picture") == "the region in the picture"
    assert short_phrase("the company depicted") == "the company in the image"


@pytest.mark.parametrize("style", ["default", "paper"])
def test_the_stage_fills_the_row(style: str) -> None:
    drafts = [draft_of("Is Eldoria old?", name="Eldoria", row_id=f"r-{n}") for n in range(3)]
    outcome = Template(BuildConfig(template=style))(drafts)
    assert not outcome.rejects
    for before, after in zip(drafts, outcome.drafts, strict=True):
        row = after.row
        assert row.images == (before.candidate.image,) and row.text_prompt == before.row.text_prompt
        assert row.prompt[0].content == (IMAGE, f"Is {row.entity.replacement} old?")
        assert after.notes["rephrase"] == {"by": f"template-{style}"}
    assert len({draft.row.entity.replacement for draft in outcome.drafts}) > 1


def test_a_replacement_that_is_given_is_kept() -> None:
    draft = draft_of("Is Eldoria old?", name="Eldoria", replacement="the realm shown")
    (made,) = Template(BuildConfig())([draft]).drafts
    assert made.row.prompt[0].text == "Is the realm shown old?"


def test_a_plural_entry_gets_a_plural_noun() -> None:
    draft = draft_of("Who were the Lumens?", name="Lumens", kind="ORG")
    object.__setattr__(draft.candidate, "details", {"plural": "true"})
    (made,) = Template(BuildConfig())([draft]).drafts
    assert any(f" {many} " in f" {made.row.entity.replacement} " for _, many in NOUNS["ORG"])
