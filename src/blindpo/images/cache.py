"""Cache servers' answers on disk, so that no name is looked up twice, not even one without an image.

One SQLite file, so that a kill loses one batch at most. There are three kinds: an answer, a miss (the server says that
there is none), a fault (the answer could not be used). Answers and misses are final; the next run asks again after a
fault. Keys name source, base URL and question; no secret is ever part of one.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from blindpo.errors import SourceError

Kind = Literal["answer", "miss", "fault"]
_TABLE: Final = """
create table if not exists answers (
  source text not null, key text not null, kind text not null, value text not null, body blob, time text not null,
  primary key (source, key)
) without rowid
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One stored answer: JSON `value` (the reason, for a miss or fault), a file's bytes, UTC time of the fetch."""

    kind: Kind
    value: Any
    time: str
    body: bytes | None = None


class LookupCache:
    """The answers in one file, or in memory if `path` is None. Use as a context manager, or call `close`."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            # wait for another build that has the same file locked
            self._db = sqlite3.connect(":memory:" if path is None else path, timeout=60)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise SourceError(
                f"the cache of look-ups {path} cannot be opened ({error}); give another file, or delete it"
            ) from error

    def __enter__(self) -> "LookupCache":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, source: str, key: str) -> Stored | None:
        """Return the answer that `source` gave to `key`, or None if it was not asked."""
        with self._guarded():
            stored = self._db.execute(
                "select kind, value, body, time from answers where source = ? and key = ?", (source, key)
            ).fetchone()
        if stored is None:
            return None
        return Stored(kind=stored[0], value=json.loads(stored[1]), body=stored[2], time=stored[3])

    def put(self, source: str, answers: Mapping[str, Stored]) -> None:
        """Store answers by key, all of them or none."""
        with self._guarded(), self._db:
            self._db.executemany("insert or replace into answers values (?, ?, ?, ?, ?, ?)", _lines(source, answers))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SourceError(
                f"the cache of look-ups {self._path} cannot be used ({error}); give another file, or delete it"
            ) from error


def _lines(source: str, answers: Mapping[str, Stored]) -> Iterable[tuple[object, ...]]:
    for key, answer in answers.items():
        value = json.dumps(answer.value, sort_keys=True)
        yield source, key, answer.kind, value, answer.body, answer.time
