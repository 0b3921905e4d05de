"""Replies from a recording, without a network; a request that was not recorded is a failure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blindpo.models.chat.interface import TextReply, TextRequest, request_key
from blindpo.models.chat.replies import ReplyStore

NOT_RECORDED = TextReply(text=None, failure="the recording does not hold this request", again=True)


class Replay:
    """Serves the replies that a chat model of the same `identity` left in its store."""

    def __init__(self, name: str, identity: Mapping[str, Any], store: ReplyStore) -> None:
        self.name = name
        self.identity = identity
        self._store = store

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """Yield the recorded reply to each request, or a failure."""
        for request in requests:
            yield self._store.get(request_key(self.identity, request)) or NOT_RECORDED
