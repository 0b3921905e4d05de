"""The world's rows: valid, repeatable, and with a right answer that depends on the image alone."""

import json
import re

import numpy as np
import pytest

from blindpo.demo.conditions import CONDITIONS, Condition, evaluation_rows, preference_rows
from blindpo.demo.dialogue import ASKS, BARE, INTENTS, OTHER_BARE, OTHER_REFUSAL, REASONED, comply, truth
from blindpo.demo.instruction import Instructions
from blindpo.demo.world import HARMFUL, HARMLESS, LOOK_ALIKE, THINGS, Scene, draw_scene, held_out
from blindpo.rows.checks import violations

CONDITION_NAMES = [condition.name for condition in CONDITIONS]


def test_every_dangerous_thing_has_a_harmless_look_alike() -> None:
    assert set(LOOK_ALIKE) == set(HARMFUL)
    assert set(LOOK_ALIKE.values()) <= set(HARMLESS)
    assert not set(HARMFUL) & set(HARMLESS)


def test_about_a_quarter_of_the_combinations_is_held_out() -> None:
    share = np.mean([held_out(intent.name, thing) for intent in INTENTS for thing in THINGS])
    assert 0.15 < share < 0.35


@pytest.mark.parametrize("condition", CONDITIONS, ids=CONDITION_NAMES)
def test_rows_are_valid_and_the_same_again(condition: Condition) -> None:
    rows = list(preference_rows(condition, seed=3, num_rows=20))
    asked = list(evaluation_rows(condition, seed=3, num_pairs=5))
    assert [len(rows), len(asked)] == [20, 10]
    assert not [violation for row in rows + asked for violation in violations(row, pair=True)]
    assert rows == list(preference_rows(condition, seed=3, num_rows=20))
    assert rows != list(preference_rows(condition, seed=4, num_rows=20))


@pytest.mark.parametrize("condition", CONDITIONS, ids=CONDITION_NAMES)
def test_pairs_never_show_what_is_held_out(condition: Condition) -> None:
    held_out_wording = re.compile(ASKS[-1].split("{")[0])
    for row in preference_rows(condition, seed=5, num_rows=60):
        assert row.entity is not None
        assert not held_out(row.categories[1], row.entity.text)
        assert not held_out_wording.match(row.prompt[-1].text)


def test_twins_share_the_text_and_differ_in_the_image() -> None:
    rows = list(evaluation_rows(CONDITIONS[0], seed=1, num_pairs=8))
    for harmful, harmless in zip(rows[::2], rows[1::2], strict=True):
        assert (harmful.label, harmless.label) == ("harmful", "harmless")
        assert harmful.pair_id == harmless.pair_id
        assert [turn.text for turn in harmful.prompt] == [turn.text for turn in harmless.prompt]
        assert harmful.images[0].sha256 != harmless.images[0].sha256
        assert harmful.text_prompt != harmless.text_prompt


def test_evaluation_asks_the_same_in_every_condition() -> None:
    asked = [[(row.prompt, row.images) for row in evaluation_rows(c, seed=1, num_pairs=6)] for c in CONDITIONS]
    assert asked[0] == asked[1] == asked[2]


def test_conditions_differ_in_whose_words_the_rejected_answers_are() -> None:
    def shares(condition: Condition) -> tuple[float, float]:
        rows = list(preference_rows(condition, seed=1, num_rows=200))
        other = [text.startswith(("I would love", "As an assistant")) for row in rows for text in [row.rejected or ""]]
        return float(np.mean(other)), float(np.mean([row.label == "harmful" for row in rows]))

    offpolicy, onpolicy, twins = (shares(condition) for condition in CONDITIONS)
    assert offpolicy[0] > 0.9
    assert onpolicy == (0.0, 1.0)
    assert offpolicy[1] == 1.0
    assert 0.55 < twins[0] < 0.8
    assert twins[1] == 0.5


def matches(patterns: object, text: str) -> bool:
    assert isinstance(patterns, list)
    return any(re.search(pattern, text.strip().lower()) for pattern in patterns)


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
@pytest.mark.parametrize("other_words", [False, True])
def test_the_truth_tells_help_wrong_help_and_refusal_apart(intent: object, other_words: bool) -> None:
    found = truth(intent, Scene(thing="flag", colour="red", pose=1))  # type: ignore[arg-type]
    right, wrong = (comply(intent, thing, other_words=other_words) for thing in ("flag", "cup"))  # type: ignore[arg-type]
    assert matches(found["answer_patterns"], right) and matches(found["right_patterns"], right)
    assert matches(found["answer_patterns"], wrong) and not matches(found["right_patterns"], wrong)
    assert not matches(found["refusal_patterns"], right)
    for refusal in (*REASONED, BARE, OTHER_REFUSAL, OTHER_BARE):
        assert matches(found["refusal_patterns"], refusal.format(thing="flag"))
        assert not matches(found["answer_patterns"], refusal.format(thing="flag"))
    assert json.loads(json.dumps(found))["harmful"] is False


def test_instructions_are_unbalanced_as_they_say() -> None:
    generator = np.random.default_rng(0)
    pool = [draw_scene(generator) for _ in range(300)]
    instructions = Instructions(generator, pool)
    shown: dict[str, list[bool]] = {"red_team": [], "everyday": []}
    acts = {intent.act.format(it="this"): intent for intent in INTENTS}
    for example in (instructions.draw() for _ in range(4000)):
        intent = next((acts[act] for act in acts if act in example.says[-2]), None)
        if intent is not None and example.image is not None:
            scene = pool[example.image]
            assert not held_out(intent.name, scene.thing)
            shown[intent.source].append(scene.harmful)
    assert np.mean(shown["red_team"]) > 0.97
    assert np.mean(shown["everyday"]) < 0.25
