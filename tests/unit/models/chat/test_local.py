"""A model of this process behind the interface of a chat server."""

import pytest
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import drawn_image

from blindpo.models.chat.interface import TextRequest
from blindpo.models.chat.local import LocalTextModel
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, ImageRef, Turn


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(resolve_model(save_tiny_llava(tmp_path_factory.mktemp("model") / "tiny")))


def asks(text: str, *, image: ImageRef | None = None, max_tokens: int = 4, draw: int = 0) -> TextRequest:
    content = (text,) if image is None else (IMAGE, text)
    return TextRequest(
        turns=(Turn(role="user", content=content),),
        images=() if image is None else (image,),
        max_tokens=max_tokens,
        draw=draw,
    )


def test_replies_come_in_order_whatever_their_length_and_a_broken_image_fails_alone(vlm: Vlm) -> None:
    requests = [
        asks("one", max_tokens=3),
        asks("two", image=drawn_image(1), max_tokens=5),
        asks("three", image=ImageRef(data=b"no image")),
        asks("four", max_tokens=3),
        asks("what is <image> ?", max_tokens=3),
    ]
    model = LocalTextModel("tiny", vlm, temperature=1.0, batch_size=2)
    found = list(model.replies(requests))
    assert [reply.text is None for reply in found] == [False, False, True, False, True]
    assert "no image" in (found[2].failure or "")
    assert "reads as an image" in (found[4].failure or "")
    assert [reply.tokens for reply in found] == [3, 5, 0, 3, 0]
    assert [reply.finish for reply in found] == ["length", "length", None, "length", None]
    alone = [next(model.replies([request])) for request in requests]
    assert alone == found


def test_another_draw_is_another_answer_and_the_same_draw_the_same(vlm: Vlm) -> None:
    model = LocalTextModel("tiny", vlm, temperature=1.0)
    first, second, again = model.replies([asks("x", draw=0), asks("x", draw=1), asks("x", draw=0)])
    assert first == again
    assert first.text != second.text
    assert model.identity == {"model": vlm.fingerprint, "temperature": 1.0, "seed": 42}
