"""Which letters are an entity: word bounds, longest match, no function words or ordinals, one draft for each name."""

import pytest
from tests.unit.building.drafts import row_of

from blindpo.building.entities import (
    CapitalisedRecognizer,
    CatalogueRecognizer,
    Recognize,
    on_word_bounds,
)

CATALOGUE = CatalogueRecognizer(
    [
        ("Eldoria", "LOC"),
        ("Kingdom of Eldoria", "LOC"),
        ("Mira", "PER"),
        ("Mira", "ORG"),
        ("Will", "PER"),
        ("US", "LOC"),
        ("Rock \u2019n\u2019 Roll", "MISC"),
    ]
)


def texts_of(recognizer: object, text: str) -> list[str]:
    (found,) = recognizer.find([text])
    assert all(text[m.start : m.end] == m.text for m in found)
    return [mention.text for mention in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is ELDORIA pretty?", ["ELDORIA"]),
        ("the Kingdom of Eldoria, Eldoria's", ["Kingdom of Eldoria", "Eldoria"]),
        ("Eldorian, NewEldoria, eldoria_2, O'Eldoria", []),
        ("rock 'N' roll", ["rock 'N' roll"]),
        ("Will it? No, it will. I asked Will", ["Will"]),
        ("tell us of the US", ["US"]),
        ("", []),
    ],
)
def test_catalogue(text: str, expected: list[str]) -> None:
    assert texts_of(CATALOGUE, text) == expected


def test_catalogue_types_and_scores() -> None:
    (found,) = CATALOGUE.find(["mira in Eldoria"])
    assert [(m.type, m.score, m.recogniser) for m in found] == [(None, 0.9, "catalogue"), ("LOC", 1.0, "catalogue")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is Port Quill's Bank of Eldoria?", ["Port Quill's Bank of Eldoria"]),
        ("Where is Mira\u2019s ship?", ["Mira"]),
        ("The Lumen Works and Why it is", ["Lumen Works"]),
        ("I met him on the 1st. VIII, A 21st and II", []),
        ("AT&T, Coca-Cola and e-mail", ["AT&T", "Coca-Cola"]),
        ("\u00c9lan is a name", ["\u00c9lan"]),
        ("nothing here", []),
    ],
)
def test_capitalised(text: str, expected: list[str]) -> None:
    assert texts_of(CapitalisedRecognizer(), text) == expected


def test_a_lone_word_that_opens_a_sentence_is_less_sure() -> None:
    ((first, second),) = CapitalisedRecognizer().find(["Kites fly over Eldoria"])
    assert (first.text, first.score, second.text, second.score) == ("Kites", 0.6, "Eldoria", 0.8)


def test_word_bounds() -> None:
    assert on_word_bounds("Eldoria", 0, 7) and on_word_bounds("(Eldoria)", 1, 8) and on_word_bounds("Ann's", 0, 3)
    assert not on_word_bounds("O'Brien", 2, 7) and not on_word_bounds("xEldoria", 1, 8)


def test_those_named_first_win_and_a_name_gives_one_draft() -> None:
    stage = Recognize([CATALOGUE, CapitalisedRecognizer()], min_score=0.7)
    rows = [
        row_of("Eldoria and ELDORIA and Great Eldoria", row_id="a"),
        row_of("nobody", row_id="b"),
        row_of("Hi", "Hello from Eldoria", "Kites of Port Quill", row_id="c"),
    ]
    outcome = stage(rows)
    assert [(d.row.row_id, d.mention.text) for d in outcome.drafts] == [
        ("a-0", "Eldoria"),
        ("c-0", "Kites of Port Quill"),
    ]
    assert [(r.row_id, r.stage) for r in outcome.rejects] == [("b", "entities")]
    assert outcome.drafts[0].row.text_prompt == rows[0].prompt and outcome.drafts[0].row.entity.type == "LOC"
