"""The two templates: what the text says in place of the name, and where the image stands."""

import pytest
from tests.unit.building.drafts import draft_of, turns_of

from blindpo.building.config import BuildConfig
from blindpo.building.phrases import NOUNS
from blindpo.building.rephrase import Template, default_prompt, paper_prompt, short_phrase
from blindpo.rows.row import IMAGE

WORDS = "the thing in the image"


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
