"""A chat model that says what it is told to."""

from collections.abc import Iterable, Iterator
from typing import Any

from blindpo.models.chat.interface import TextReply, TextRequest


class Scripted:
    """A model that says what it is told to, by draw."""

    name = "chat:scripted"
    identity: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, *replies: str | TextReply) -> None:
        self.replies_by_draw = replies
        self.asked: list[TextRequest] = []

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        for request in requests:
            self.asked.append(request)
            reply = self.replies_by_draw[min(request.draw, len(self.replies_by_draw) - 1)]
            yield reply if isinstance(reply, TextReply) else TextReply(text=reply, model="m@1")
