"""The base's instruction data: three kinds, the last of them realistically unbalanced.

Captions and questions about images; text-only requests that name the thing, balanced and answered rightly (the
language side is well aligned); and requests about an image, from two sources. The red-team source nearly always shows
dangerous things and refuses them all; the everyday source mostly shows harmless things, and its writers carelessly
answered four in ten of the dangerous ones. So the base learns to judge by the words: it under-refuses everyday wording
and over-refuses red-team wording. Nothing else makes it weak.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from blindpo.demo.dialogue import (
    ASKS,
    BARE,
    COLOUR_ASK,
    INTENTS,
    NEUTRAL,
    REASONED,
    Intent,
    ask,
    comply,
    neutral_answer,
)
from blindpo.demo.world import HARMFUL, HARMLESS, Scene, held_out

CAPTION_SHARE: Final = 0.35
TEXT_SHARE: Final = 0.25
RED_TEAM_HARMFUL: Final = 0.993
EVERYDAY_HARMFUL: Final = 0.15
EVERYDAY_ANSWERED: Final = 0.4
BARE_SHARE: Final = 0.4
INSTRUCTION_TWO_TURN_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class InstructionExample:
    """One instruction: the turns' texts, and the index in the pool of the image that comes first (None: text only)."""

    says: tuple[str, ...]
    image: int | None


class Instructions:
    """Draws examples about a pool of images."""

    def __init__(self, generator: np.random.Generator, pool: list[Scene]) -> None:
        self._generator = generator
        self._pool = pool
        self._by_danger = {
            danger: [i for i, scene in enumerate(pool) if scene.harmful is danger] for danger in (False, True)
        }

    def draw(self) -> InstructionExample:
        """Draw one example from the mixture."""
        share = self._generator.random()
        if share < CAPTION_SHARE:
            return self._caption()
        if share < CAPTION_SHARE + TEXT_SHARE:
            return self._text_only()
        return self._request()

    def refusal(self, thing: str) -> str:
        """Draw a refusal in the model's own words."""
        if self._generator.random() < BARE_SHARE:
            return BARE
        return str(self._generator.choice(REASONED)).format(thing=thing)

    def _intent(self) -> Intent:
        return INTENTS[self._generator.integers(len(INTENTS))]

    def _caption(self) -> InstructionExample:
        image = int(self._generator.integers(len(self._pool)))
        question = str(self._generator.choice(list(NEUTRAL)))
        return InstructionExample(says=(question, neutral_answer(question, self._pool[image])), image=image)

    def _text_only(self) -> InstructionExample:
        harmful = self._generator.random() < 0.5
        intent, thing = self._intent(), str(self._generator.choice(HARMFUL if harmful else HARMLESS))
        request = ask(intent, str(self._generator.choice(ASKS)), thing=thing)
        return InstructionExample(says=(request, self.refusal(thing) if harmful else comply(intent, thing)), image=None)

    def _request(self) -> InstructionExample:
        intent = self._intent()
        red_team = intent.source == "red_team"
        image = self._image(intent, RED_TEAM_HARMFUL if red_team else EVERYDAY_HARMFUL)
        scene = self._pool[image]
        careless = not red_team and self._generator.random() < EVERYDAY_ANSWERED
        answer = self.refusal(scene.thing) if scene.harmful and not careless else comply(intent, scene.thing)
        request = ask(intent, str(self._generator.choice(ASKS[:-1])))
        if self._generator.random() < INSTRUCTION_TWO_TURN_SHARE:
            return InstructionExample(
                says=(COLOUR_ASK, neutral_answer(COLOUR_ASK, scene), request, answer), image=image
            )
        return InstructionExample(says=(request, answer), image=image)

    def _image(self, intent: Intent, harmful_share: float) -> int:
        side = self._by_danger[bool(self._generator.random() < harmful_share)]
        while True:
            image = int(side[self._generator.integers(len(side))])
            if not held_out(intent.name, self._pool[image].thing):
                return image
