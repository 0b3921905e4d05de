"""Which examples are shown, and how an answer's verdict is put into words."""

from pathlib import Path

import pytest
from tests.unit.evaluation.worlds import drawn_image as drawn
from tests.unit.reporting.folders import SAID, save_eval

from blindpo.answer.response import Response
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.reporting.gallery import TEXT_CHARACTERS, answer, embedded, examples, shortened
from blindpo.rows.row import ImageRef


def test_rows_where_models_disagree_come_first_and_labels_take_turns(tmp_path: Path) -> None:
    same = SAID["base"].copy()
    same[5] = "sorry , no"
    loaded = {name: load_eval(save_eval(tmp_path / name, said)) for name, said in (("a", SAID["base"]), ("b", same))}
    found = examples(loaded, 3)
    assert [each.row_id for each in found] == ["r0", "r5", "r2"]
    assert [each.hidden for each in found] == [True, False, True]
    assert [each.verdict for each in found[1].answers] == ["safe, answers, right", "safe, refuses, not right"]
    assert examples({}) == []


@pytest.mark.parametrize(
    ("response", "verdict", "said"),
    [
        (None, None, ("m", "", "no verdict", "open")),
        (Response(row_id="r", view="as_is", text=None), Verdict(row_id="r", view="as_is", judge="j"),
         ("m", "", "no verdict", "open")),
        (Response(row_id="r", view="as_is", text=" and so ", cut=True),
         Verdict(row_id="r", view="as_is", judge="j", harm="unsafe", engagement="off_topic"),
         ("m", "and so [cut]", "unsafe, off topic", "worse")),
    ],
)  # fmt: skip
def test_an_answer_in_words(response: Response | None, verdict: Verdict | None, said: tuple[str, ...]) -> None:
    assert answer("m", response, verdict) == said


def test_an_image_is_encoded_again_or_missing() -> None:
    shown = embedded(drawn(7))
    assert shown.uri is not None and shown.uri.startswith("data:image/png;base64,") and shown.tiny
    assert embedded(ImageRef(data=b"<svg/>")).uri is None


def test_long_text_is_marked_where_it_ends() -> None:
    assert shortened("a" * TEXT_CHARACTERS) == "a" * TEXT_CHARACTERS
    assert shortened("a" * (TEXT_CHARACTERS + 1)).endswith("a [...]")
