"""Separate a model's thought from its answer: only the answer is stored as a response.

A thought comes first, since templates put it there; tags inside an answer are part of its text. If a prompt ends with
the opening tag, as templates of models that always think do, the response holds only the closing tag.
"""

from typing import Final

TAGS: Final = (("<think>", "</think>"),)
"""Opening and closing tags; add a pair for a family with other tags."""


def split_thought(text: str) -> tuple[str, str]:
    """Split a model's text into (thought, answer); text without a thought is the answer, unchanged.

    >>> split_thought("<think>Is it safe? No.</think> I can't help.")
    ('Is it safe? No.', "I can't help.")
    >>> split_thought("Is it safe? No.</think> I can't help.")  # the prompt opened the thought
    ('Is it safe? No.', "I can't help.")
    >>> split_thought("<think>Is it safe? It may")  # without an end there is no answer
    ('Is it safe? It may', '')
    >>> split_thought("The tag <think> opens a thought.")
    ('', 'The tag <think> opens a thought.')
    """
    for opening, closing in TAGS:
        before, opened, inside = text.partition(opening)
        if opened and not before.strip():
            thought, _, answer = inside.partition(closing)
            return thought.strip(), answer.lstrip()
        thought, closed, answer = text.partition(closing)
        if closed and opening not in thought:
            return thought.strip(), answer.lstrip()
    return "", text


def open_thought(prompt: str) -> str:
    """Return the opening tag at the prompt's end, after which the model continues with its thought; else "".

    >>> open_thought("user: hi assistant: <think> "), open_thought("user: hi assistant: <think> </think> ")
    ('<think>', '')
    """
    return next((opening for opening, _ in TAGS if prompt.rstrip().endswith(opening)), "")
