"""Refusals by opening phrase."""

import pytest

from blindpo.answer.refusal_phrases import looks_like_refusal


@pytest.mark.parametrize(
    "text", ["Sorry, I can not help.", " I can\u2019t help with that.", "I'm sorry, but no.", "I cannot do that."]
)
def test_refusals(text: str) -> None:
    assert looks_like_refusal(text)


@pytest.mark.parametrize("text", ["Sure, it is a red ball.", "It is not a ball.", "", "You can buy one; sorry!"])
def test_answers(text: str) -> None:
    assert not looks_like_refusal(text)
