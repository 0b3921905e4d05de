"""The demo's rows: preference pairs under three data conditions, and matching evaluation rows.

Conditions differ only in their pairs: `paper_like_offpolicy` asks only about dangerous things, and its rejected answers
are in another model's words (as in data derived from HH-RLHF, whose answers other models wrote);
`paper_like_onpolicy` is the same in the model's own words; `benign_twins` has a harmless twin for every dangerous row,
and 70 % of the rejected answers in another model's words. One pair in twenty has its labels flipped, a rate of error
like people's. The evaluation rows of a seed ask the same about the same images in every condition; only their rejected
answers follow the condition, so that `pairwise_accuracy` is about pairs like those trained on.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from blindpo.demo.dialogue import (
    ASKS,
    BARE,
    COLOUR_ASK,
    INTENTS,
    OTHER_BARE,
    OTHER_REFUSAL,
    REASONED,
    Intent,
    ask,
    comply,
    neutral_answer,
    truth,
)
from blindpo.demo.draw import draw_png
from blindpo.demo.world import HARMFUL, HARMLESS, Scene, draw_scene, harmless_twin, held_out
from blindpo.jobs.seeds import derive_seed
from blindpo.rows.row import IMAGE, Entity, ImageRef, PreferenceRow, Provenance, Turn

FLIPPED_SHARE: Final = 0.05
BARE_REJECTED_SHARE: Final = 0.2
WRONG_THING_SHARE: Final = 0.25
TWO_TURN_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One kind of preference data."""

    name: str
    twins: bool
    """Whether the pairs include a harmless twin for every dangerous row."""
    other_words_share: float
    """Share of rejected answers in another model's words."""


CONDITIONS: Final = (
    Condition(name="paper_like_offpolicy", twins=False, other_words_share=1.0),
    Condition(name="paper_like_onpolicy", twins=False, other_words_share=0.0),
    Condition(name="benign_twins", twins=True, other_words_share=0.7),
)
CONDITION: Final = {condition.name: condition for condition in CONDITIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A request before it gets an image; twins share it."""

    intent: Intent
    template: str
    two_turn: bool


def preference_rows(condition: Condition, *, seed: int, num_rows: int) -> Iterator[PreferenceRow]:
    """Yield the preference pairs of one condition; with twins, dangerous rows and their twins alternate."""
    generator = np.random.default_rng(derive_seed(seed, "pairs", condition.name))
    number = 0
    while number < num_rows:
        request, scene = _request(generator, ASKS[:-1]), draw_scene(generator, HARMFUL)
        scenes = [scene, harmless_twin(generator, scene)] if condition.twins else [scene]
        if any(held_out(request.intent.name, each.thing) for each in scenes):
            continue
        for each in scenes[: num_rows - number]:
            pair = _pair(generator, condition, request.intent, each)
            chosen, rejected = pair[::-1] if generator.random() < FLIPPED_SHARE else pair
            name = f"pair-{number:04d}"
            twin = f"twins-{number // 2:04d}" if condition.twins else None
            yield _row(request, each, name=name, pair_id=twin, split="train", chosen=chosen, rejected=rejected)
            number += 1


def evaluation_rows(condition: Condition, *, seed: int, num_pairs: int) -> Iterator[PreferenceRow]:
    """Yield twins: same text, one dangerous and one harmless image, including held-out wordings and combinations."""
    requests = np.random.default_rng(derive_seed(seed, "evaluation"))
    worded = np.random.default_rng(derive_seed(seed, "evaluation", condition.name))
    for number in range(num_pairs):
        request, scene = _request(requests, ASKS), draw_scene(requests, HARMFUL)
        for each in (scene, harmless_twin(requests, scene)):
            chosen, rejected = _pair(worded, condition, request.intent, each)
            name = f"eval-{number:04d}-{'harmful' if each.harmful else 'harmless'}"
            yield _row(request, each, name=name, pair_id=f"eval-{number:04d}", split="test", chosen=chosen,
                       rejected=rejected)  # fmt: skip


def _request(generator: np.random.Generator, templates: tuple[str, ...]) -> _Request:
    return _Request(
        intent=INTENTS[generator.integers(len(INTENTS))],
        template=str(generator.choice(templates)),
        two_turn=bool(generator.random() < TWO_TURN_SHARE),
    )


def _pair(generator: np.random.Generator, condition: Condition, intent: Intent, scene: Scene) -> tuple[str, str]:
    """Draw a better and a worse answer, before any flip."""
    other = bool(generator.random() < condition.other_words_share)
    reasoned = str(generator.choice(REASONED)).format(thing=scene.thing)
    kind = generator.random()
    if scene.harmful:
        if kind < BARE_REJECTED_SHARE:
            return reasoned, OTHER_BARE if other else BARE
        chosen = BARE if generator.random() < BARE_REJECTED_SHARE else reasoned
        return chosen, comply(intent, scene.thing, other_words=other)
    chosen = comply(intent, scene.thing)
    if kind < WRONG_THING_SHARE:
        wrong = str(generator.choice([thing for thing in HARMLESS if thing != scene.thing]))
        return chosen, comply(intent, wrong, other_words=other)
    return chosen, OTHER_REFUSAL.format(thing=scene.thing) if other else reasoned


def _row(request: _Request, scene: Scene, *, name: str, pair_id: str | None, split: str, chosen: str,
         rejected: str) -> PreferenceRow:  # fmt: skip
    text = ask(request.intent, request.template)
    turns: tuple[Turn, ...] = (Turn(role="user", content=(IMAGE, text)),)
    if request.two_turn:
        turns = (
            Turn(role="user", content=(IMAGE, COLOUR_ASK)),
            Turn(role="assistant", content=(neutral_answer(COLOUR_ASK, scene),)),
            Turn(role="user", content=(text,)),
        )
    twin = ask(request.intent, request.template, thing=scene.thing)
    return PreferenceRow(
        row_id=name,
        prompt=turns,
        images=(ImageRef(data=draw_png(scene), file=f"{scene.colour}_{scene.thing}_{scene.pose}.png"),),
        chosen=chosen,
        rejected=rejected,
        text_prompt=(Turn(role="user", content=(twin,)),),
        entity=Entity(text=scene.thing, replacement="this"),
        categories=(request.intent.source, request.intent.name),
        label="harmful" if scene.harmful else "harmless",
        pair_id=pair_id,
        truth=json.dumps(truth(request.intent, scene), sort_keys=True),
        provenance=Provenance(
            source="blindpo demo world", source_row_id=name, dialogue_id=pair_id or name, split=split
        ),
    )
