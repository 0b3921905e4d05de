"""The bucket keeps the rate whatever the clock does, and waits are read as servers write them."""

from hypothesis import given
from hypothesis import strategies as st

from blindpo.images.rate_limit import Time, TokenBucket, backoff, retry_after


class FakeTime:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.time = Time(lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 600), st.integers(1, 5))
def test_no_minute_sees_more_than_its_share(pauses: list[float], per_minute: int, burst: int) -> None:
    clock = FakeTime()
    bucket = TokenBucket(per_minute, burst=burst, time=clock.time)
    taken = []
    for pause in pauses:
        clock.now += pause
        bucket.take()
        taken.append(clock.now)
    for first in range(len(taken)):
        within = sum(taken[first] <= moment < taken[first] + 60 for moment in taken)
        assert within <= per_minute + burst


def test_a_bucket_waits_just_as_long_as_it_must() -> None:
    clock = FakeTime()
    bucket = TokenBucket(60, burst=2, time=clock.time)
    for _ in range(5):
        bucket.take()
    assert abs(clock.now - 1_003.0) < 1e-6
    clock.now -= 500  # a clock set back
    bucket.take()
    assert clock.now <= 504.1


def test_retry_after_is_seconds_or_a_date() -> None:
    date = "Thu, 01 Jan 1970 00:01:40 GMT"
    assert retry_after({"retry-after": " 12 "}, 0.0) == 12.0
    assert retry_after({"retry-after": date}, 40.0) == 60.0
    assert retry_after({"retry-after": date}, 4000.0) == 0.0
    for nothing in ("", "soon", "-5", "1e3", "Thu, 99 Foo 1970"):
        assert retry_after({"retry-after": nothing}, 0.0) is None
    assert retry_after({}, 0.0) is None


def test_waits_double() -> None:
    assert [backoff(attempt) for attempt in range(4)] == [1.0, 2.0, 4.0, 8.0]
