"""Many requests in flight, replies in order; a server that is down is noticed, and a budget kept.

Threads, since a request waits for the network and for nothing of ours. `requests` is read only a few ahead of what the
caller has taken, so a million of them with their images need no memory.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from blindpo.errors import BudgetError
from blindpo.models.chat.interface import TextReply, TextRequest

AHEAD: Final = 4
"""Requests that wait for their turn, for each one in flight: one slow reply must not idle the others."""
NOT_ASKED: Final = TextReply(text=None, failure="not asked, since the server is down", again=True)


class Budget:
    """Tokens that may be spent; the room of answers in flight is held back, so they cannot overspend it together."""

    def __init__(self, tokens: int | None) -> None:
        self.limit = tokens
        self.spent = 0
        self.requests = 0
        """Requests that were sent; those found in a store are not among them."""
        self._held = 0
        self._freed = threading.Condition()

    @contextmanager
    def holding(self, tokens: int) -> Iterator[list[int]]:
        """Hold `tokens` back for one request; what it cost is appended to the list. Raises BudgetError when spent."""
        with self._freed:
            while self.limit is not None and self._held and self.spent + self._held + tokens > self.limit:
                self._freed.wait()
            if self.limit is not None and self.spent + tokens > self.limit:
                raise BudgetError(
                    f"the budget of {self.limit} tokens is spent ({self.spent} used); what was answered is kept: "
                    "run the same command again, or raise budget_tokens"
                )
            self._held += tokens
            self.requests += 1
        paid: list[int] = []
        try:
            yield paid
        finally:
            with self._freed:
                self._held -= tokens
                self.spent += sum(paid)
                self._freed.notify_all()


class Flight:
    """Sends requests with `send`, `concurrency` at a time; `send` also tells whether the server looks down."""

    def __init__(
        self, send: Callable[[TextRequest], tuple[TextReply, bool]], concurrency: int, *, give_up_after: int
    ) -> None:
        self._send = send
        self._concurrency = concurrency
        self._give_up_after = give_up_after
        self._failed_in_a_row = 0
        self._lock = threading.Lock()

    def replies(
        self, requests: Iterable[TextRequest], *, known: Callable[[TextRequest], TextReply | None]
    ) -> Iterator[TextReply]:
        """Replies in order; what `known` has is not sent. Whatever `send` raises comes out here, at its place."""
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="chat")
        waiting: deque[Future[TextReply]] = deque()
        try:
            for request in requests:
                waiting.append(self._start(pool, request, known(request)))
                if len(waiting) > AHEAD * self._concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, pool: ThreadPoolExecutor, request: TextRequest, reply: TextReply | None) -> Future[TextReply]:
        if reply is None:
            return pool.submit(self._guarded, request)
        done: Future[TextReply] = Future()
        done.set_result(reply)
        return done

    def _guarded(self, request: TextRequest) -> TextReply:
        with self._lock:
            if self._failed_in_a_row >= self._give_up_after:
                return NOT_ASKED
        reply, down = self._send(request)
        with self._lock:
            self._failed_in_a_row = self._failed_in_a_row + 1 if down else 0
        return reply
