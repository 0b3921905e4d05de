"""Determiners, number and mentions."""

import pytest

from blindpo.building.grammar import is_plural, mentions_of, put, put_all

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
