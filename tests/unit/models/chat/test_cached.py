"""Replies that were kept are not made again."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava

from blindpo.models.chat.cached import Kept
from blindpo.models.chat.interface import TextReply, TextRequest
from blindpo.models.chat.local import LocalTextModel
from blindpo.models.chat.replies import ReplyStore
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


def test_kept_replies_are_not_made_again(vlm: Vlm, tmp_path: Path) -> None:
    asked: list[int] = []

    class Counting(LocalTextModel):
        def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
            listed = list(requests)
            asked.append(len(listed))
            return super().replies(listed)

    requests = [asks(text) for text in ("one", "two", "one", "three")]
    model = Counting("tiny", vlm)
    first = list(Kept(model, ReplyStore(tmp_path / "replies.jsonl")).replies(requests[:3]))
    second = list(Kept(model, ReplyStore(tmp_path / "replies.jsonl")).replies(requests))
    assert second[:3] == first
    assert asked == [2, 1]
