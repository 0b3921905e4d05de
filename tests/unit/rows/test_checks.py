"""Every invariant can be broken, and its violation names the field."""

import pytest
from tests.simple_rows import simple

from blindpo.errors import RowError
from blindpo.rows.checks import require_valid, violations
from blindpo.rows.row import IMAGE, BlindResponse, ImageRef, Turn

USER = Turn(role="user", content=("hello",))
ANSWER = Turn(role="assistant", content=("hello",))
BLIND = {"model": "m", "temperature": 1.0, "max_new_tokens": 4, "seed": 1}


def test_a_sound_row_has_no_violation() -> None:
    history = (Turn(role="system", content=("be kind",)), USER, ANSWER, Turn(role="user", content=(IMAGE,)))
    assert violations(simple("1", prompt=history, truth="{}", text_prompt=(USER,)), pair=True) == []
    assert violations(simple("1", more_rejected=("no", "never"), blind=(BlindResponse(text="x", **BLIND),))) == []
    require_valid(simple("1", chosen=None, rejected=None))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"label": "bad"}, "label"),
        ({"prompt": ()}, "no_turn"),
        ({"prompt": (ANSWER,), "images": ()}, "roles"),
        ({"prompt": (Turn(role="user", content=(" ",)),), "images": ()}, "empty_turn"),
        ({"prompt": (USER, ANSWER), "images": ()}, "last_turn"),
        ({"images": ()}, "image_slots"),
        ({"prompt": (USER,)}, "image_slots"),
        ({"images": (ImageRef(data=b""),)}, "empty_image"),
        ({"chosen": " "}, "blank_response"),
        ({"more_rejected": ("",)}, "blank_response"),
        ({"rejected": "a red card"}, "identical_responses"),
        ({"blind": (BlindResponse(text=" ", **BLIND),)}, "blank_response"),
        ({"blind": (BlindResponse(text="x", view="upside-down", **BLIND),)}, "blind_view"),
        ({"text_prompt": (Turn(role="user", content=(IMAGE, "x")),)}, "text_only_twin"),
        ({"truth": "{"}, "json"),
        ({"extra": "[" * 100_000}, "json"),
        ({"prompt": (Turn(role="system", content=(" ",)), USER), "images": ()}, "empty_turn"),
        ({"chosen": "half \ud800"}, "unicode"),
        ({"categories": ("fine", "half \udfff")}, "unicode"),
        ({"prompt": (Turn(role="user", content=(IMAGE, "half \ud800")),)}, "unicode"),
        ({"chosen": None}, "no_pair"),
    ],
)
def test_a_broken_invariant_is_named(changes: dict, name: str) -> None:
    row = simple("r7", **changes)
    assert name in [violation.name for violation in violations(row, pair=True)]
    with pytest.raises(RowError, match="row r7, field"):
        require_valid(row, pair=True)


def test_a_row_without_an_id_is_refused() -> None:
    assert violations(simple(""))[0].name == "row_id"
