"""Keep many requests in flight, with replies in order; stop asking a server that is down, and keep to a budget.

Threads suffice, since a request only waits for the network. `requests` is read only a little ahead of the replies that
the caller has taken, so a million requests with their images need little memory.
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
"""Requests queued for each one in flight, so that one slow reply does not idle the other threads."""
NOT_ASKED: Final = TextReply(text=None, failure="not asked, since the server is down", again=True)


class Budget:
    """Tokens that may be spent. Requests in flight reserve their limits, so that together they cannot overspend."""

    def __init__(self, tokens: int | None) -> None:
        self.limit = tokens
        self.spent = 0
        self.requests = 0
        """Number of requests sent, without those found in a store."""
        self._held = 0
        self._freed = threading.Condition()

    @contextmanager
    def holding(self, tokens: int) -> Iterator[list[int]]:
        """Reserve `tokens` for one request; the caller appends its cost to the list. Raises BudgetError when spent."""
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
    """Sends requests with `send`, `concurrency` at a time; `send` also tells whether the server seems down."""

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
        """Yield replies in order; requests that `known` answers are not sent. Errors of `send` are raised in order."""
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
