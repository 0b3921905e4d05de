"""Note which keys of a record are read, so that an import can name the unused ones.

Formats and benchmarks read records in their own ways, so the record itself notes each read. Only its first level is
watched. Copying a whole record, as formats do for a later export, does not count as reading.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

SHOWN_KEYS: Final = 12
"""How many keys the message names, the most frequent first."""


class WatchedRecord(dict[Any, Any]):
    """A record that notes which of its keys were read."""

    def __init__(self, record: Mapping[Any, Any]) -> None:
        super().__init__(record)
        self.keys_read: set[Any] = set()

    def __getitem__(self, key: Any) -> Any:
        self.keys_read.add(key)
        return super().__getitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of `key`, which counts as read even if it is missing."""
        self.keys_read.add(key)
        return super().get(key, default)


def watched(record: Any) -> Any:
    """Return `record` with its keys watched if it is an object or a tuple with one; anything else unchanged."""
    if isinstance(record, dict):
        return WatchedRecord(record)
    return tuple(map(watched, record)) if isinstance(record, tuple) else record


def unused_keys(record: Any) -> list[str]:
    """The keys of a watched record that hold a value and were not read.

    >>> record = watched({"prompt": "hi", "score": 3, "lang": None})
    >>> record["prompt"], unused_keys(record)
    ('hi', ['score'])
    """
    if isinstance(record, tuple):
        return [key for part in record for key in unused_keys(part)]
    if not isinstance(record, WatchedRecord):
        return []
    unused = [key for key, value in record.items() if value is not None and key not in record.keys_read]
    return [str(key).encode("utf-8", "backslashreplace").decode() for key in unused]


def unused_words(counts: Iterable[tuple[str, int]]) -> str:
    """Return a message that names the unused keys; empty if there are none.

    >>> unused_words({"lang": 3, "score": 200}.items())
    'not used: score 200, lang 3'
    """
    ordered = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    named = [f"{key} {count}" for key, count in ordered[:SHOWN_KEYS]]
    more = [f"and {len(ordered) - SHOWN_KEYS} more keys"] if len(ordered) > SHOWN_KEYS else []
    return f"not used: {', '.join([*named, *more])}" if named else ""
