"""What is a thought and what an answer: each case that a template or a model leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindpo.models.thoughts import TAGS, open_thought, split_thought

WORDS = st.text().filter(lambda text: not any(tag in text for pair in TAGS for tag in pair))


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<think>\nhm\n</think>\n\nno", "hm", "no"),
        ("\n <think>hm</think>no", "hm", "no"),
        ("<think></think> no", "", "no"),
        ("hm\n</think>\n\nno", "hm", "no"),
        ("</think>no", "", "no"),
        ("<think>hm", "hm", ""),
        ("<think>hm</think>", "hm", ""),
        ("no <think>hm</think> more", "", "no <think>hm</think> more"),
        ("<think>hm</think> the tag </think> ends it", "hm", "the tag </think> ends it"),
        (" no \n", "", " no \n"),
        ("", "", ""),
    ],
)
def test_a_thought_is_told_apart(text: str, thought: str, answer: str) -> None:
    assert split_thought(text) == (thought, answer)


@given(WORDS, WORDS)
def test_what_was_joined_is_split_and_the_rest_stays_to_the_letter(thought: str, answer: str) -> None:
    assert split_thought(answer) == ("", answer)
    for opening, closing in TAGS:
        assert split_thought(f"{opening}{thought}{closing}{answer}") == (thought.strip(), answer.lstrip())
        assert split_thought(f"{thought}{closing}{answer}") == (thought.strip(), answer.lstrip())


def test_a_prompt_opens_a_thought_with_its_last_words_alone() -> None:
    assert open_thought("assistant:\n<think>\n") == "<think>"
    assert open_thought("<think> was said; assistant:") == open_thought("assistant: <think>\n\n</think>\n\n") == ""
