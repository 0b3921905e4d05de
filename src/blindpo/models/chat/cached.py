"""Keep any text model's replies on disk, so that a killed local judge continues where it was."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from blindpo.models.chat.interface import TextModel, TextReply, TextRequest, request_key
from blindpo.models.chat.replies import ReplyStore

WINDOW: Final = 64
"""Number of requests looked up and asked together: the most replies that a kill can lose."""


class Kept:
    """Asks `model` only for what `store` does not hold."""

    def __init__(self, model: TextModel, store: ReplyStore) -> None:
        self.name = model.name
        self.identity = model.identity
        self._model = model
        self._store = store

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """Yield one reply per request, in order."""
        waiting = iter(requests)
        while window := list(islice(waiting, WINDOW)):
            keys = [request_key(self.identity, request) for request in window]
            known = {key: reply for key in keys if (reply := self._store.get(key)) is not None}
            missing = {key: request for key, request in zip(keys, window, strict=True) if key not in known}
            for key, reply in zip(missing, self._model.replies(missing.values()), strict=True):
                known[key] = reply
                if not reply.again:
                    self._store.put(key, reply, raw=reply.text or "")
            yield from (known[key] for key in keys)
