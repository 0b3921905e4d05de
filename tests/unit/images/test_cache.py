"""What was answered is there again after a kill; what is no cache is refused by name."""

from pathlib import Path

import pytest

from blindpo.errors import SourceError
from blindpo.images.cache import LookupCache, Stored

TIME = "2026-01-01T00:00:00+00:00"
ANSWER = Stored(kind="answer", value={"title": "Caf\u00e9", "n": [1, None]}, body=b"\0\xff", time=TIME)


def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lookups.sqlite"
    with LookupCache(path) as cache:
        cache.put("wiki", {"a": ANSWER, "b": Stored(kind="miss", value="no page", time=TIME)})
    with LookupCache(path) as cache, LookupCache(path) as second:
        assert cache.get("wiki", "a") == ANSWER == second.get("wiki", "a")
        assert cache.get("wiki", "b").kind == "miss"
        assert cache.get("other", "a") is None and cache.get("wiki", "A") is None


def test_a_later_answer_takes_the_place_of_a_fault(tmp_path: Path) -> None:
    with LookupCache(tmp_path / "c") as cache:
        cache.put("f", {"u": Stored(kind="fault", value="html", time=TIME)})
        cache.put("f", {"u": ANSWER})
        assert cache.get("f", "u") == ANSWER


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and it is long enough to be read as one" * 20)
    for path in (tmp_path / "text", tmp_path, tmp_path / "text" / "below"):
        with pytest.raises(SourceError, match="cache of look-ups"):
            LookupCache(path)
