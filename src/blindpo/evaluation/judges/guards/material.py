"""What guards are shown: the conversation in the form that their templates take, or a prompt that is filled in."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

from blindpo.evaluation.judges.judge import Case
from blindpo.evaluation.judges.prompts import CONTROL_TOKEN, JudgePrompt
from blindpo.models.chat.interface import TextRequest
from blindpo.rows.row import IMAGE, Part, Turn

GUARD_TOKENS: Final = 128
"""Room for a verdict; guards stop long before."""
OWN_TEMPLATE: Final = sha256(b"the model's own chat template").hexdigest()


class GuardPrompt(JudgePrompt, Protocol):
    """A judge prompt for `models/classifiers/guard_model.py`."""

    @property
    def generation_prompt(self) -> bool:
        """Whether the family's card asks for the template's generation prompt; else the template writes its own."""


def broken(text: str) -> str:
    """`text` with a space in whatever could be a control token: quoted material must not act on its quotation."""
    return CONTROL_TOKEN.sub(lambda match: match[0] + " ", text)


def guard_conversation(case: Case, *, images: bool) -> TextRequest:
    """The conversation and, as its last turn, the response: users and assistants in turn, as guards' templates ask.

    A system turn is put before the first user turn's words; neighbours of one role are joined. Without `images` their
    slots are dropped, for guards that read text alone.
    """
    merged: list[tuple[str, list[Part]]] = []
    for turn in (*case.turns, Turn(role="assistant", content=(case.text,))):
        role = "assistant" if turn.role == "assistant" else "user"
        parts = [part if part is IMAGE else broken(str(part)) for part in turn.content if images or part is not IMAGE]
        if merged and merged[-1][0] == role:
            merged[-1][1].extend(["\n\n", *parts])
        else:
            merged.append((role, parts))
    return TextRequest(
        turns=tuple(Turn(role=role, content=tuple(parts)) for role, parts in merged),  # type: ignore[arg-type]
        images=case.images if images else (),
        max_tokens=GUARD_TOKENS,
    )


def question_of(turns: Sequence[Turn]) -> str:
    """The whole question, for prompts with one place for it: one turn's words, or several turns with their roles."""
    if len(turns) == 1:
        return turns[0].text
    return "\n".join(f"{turn.role}: {turn.text}" for turn in turns)


def filled(words: str, *, question: str, answer: str) -> str:
    """The prompt with question and answer put in, each once; braces inside them stay as they are."""
    before, after = words.split("{answer}", 1)
    question, answer = broken(question), broken(answer)
    return before.replace("{question}", question, 1) + answer + after.replace("{question}", question, 1)
