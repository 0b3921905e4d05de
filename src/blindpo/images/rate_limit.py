"""Rate limits and waits: a token bucket, Retry-After, and waits that double.

Wikimedia's tiers since March 2026: 10 requests per minute from an address that does not say who it is, 200 with a
User-Agent that names an operator, more for accounts (https://www.mediawiki.org/wiki/Wikimedia_APIs/Rate_limits).
Requests go one after the other. No clock and no sleep of its own: both are arguments, so tests take no time.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

Clock = Callable[[], float]
Sleep = Callable[[float], None]


@dataclass(slots=True)
class Time:
    """The clock (seconds since 1970) and the sleep that a polite client uses; tests give others."""

    now: Clock = time.time
    sleep: Sleep = time.sleep


class TokenBucket:
    """Allows `per_minute` requests per minute on average, `burst` of them at once after a pause."""

    def __init__(self, per_minute: float, *, burst: int, time: Time) -> None:
        self._rate = per_minute / 60
        self._burst = float(burst)
        self._time = time
        self._tokens = self._burst
        self._last = time.now()

    def take(self) -> None:
        """Wait until one more request is allowed."""
        self._fill()
        if self._tokens < 1:
            self._time.sleep((1 - self._tokens) / self._rate)
            self._fill()
        # a sleep may end a little early; the next wait makes up for it
        self._tokens -= 1

    def _fill(self) -> None:
        now = self._time.now()
        # a clock that was set back must not empty the bucket
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._last) * self._rate)
        self._last = now


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that `Retry-After` asks for, as a number or a date (RFC 9110, 10.2.3); None if absent.

    >>> retry_after({"retry-after": "5"}, now=0.0)
    5.0
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after failed attempt `attempt` (from 0) if the server names none: 1, 2, 4, 8, ...

    >>> [backoff(n) for n in range(4)]
    [1.0, 2.0, 4.0, 8.0]
    """
    return float(2**attempt)
