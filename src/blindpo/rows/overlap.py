"""Overlap of training and evaluation rows: the keys that a RUN keeps of its rows, and how many other rows match them.

A row is identified by its request (its turns and images, whatever its id, responses or folder) and by its dialogue.
Only hashes are kept, so that a RUN records what it was trained on without holding any text.
"""

import json
from collections.abc import Collection, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from blindpo.errors import SourceError
from blindpo.rows.row import PreferenceRow

TRAINED_ON: Final = "trained_on.jsonl"
"""The file in a RUN that holds one line of keys per row. Its suffix is not one that a model's fingerprint covers."""
KEY_CHARS: Final = 32


class RowKey(NamedTuple):
    """Hashes (32 hex digits each) that are equal if two rows are the same request, or from the same dialogue."""

    request: str
    dialogue: str


def row_key(row: PreferenceRow) -> RowKey:
    """Return the keys of one row."""
    turns = [[turn.role, [part if isinstance(part, str) else None for part in turn.content]] for turn in row.prompt]
    return RowKey(
        request=_hash([turns, [image.sha256 for image in row.images]]),
        dialogue=_hash([row.provenance.source, row.provenance.dialogue_id]),
    )


def _hash(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:KEY_CHARS]


def num_trained_on(rows: Iterable[PreferenceRow], trained: Collection[RowKey]) -> int:
    """Count the `rows` that were trained on: the same request, or another row of a trained dialogue."""
    requests, dialogues = {key.request for key in trained}, {key.dialogue for key in trained}
    return sum(key.request in requests or key.dialogue in dialogues for key in map(row_key, rows))


def shared_words(shared: int, total: int) -> str:
    """Return the warning about evaluation rows that were trained on; empty if there are none.

    (3, 10) -> "3 of 10 evaluation rows are training rows (same request or same dialogue): ..."
    """
    if not shared:
        return ""
    return (
        f"{shared} of {total} evaluation rows are training rows (same request or same dialogue): "
        "these figures show what was memorised, not what holds on new rows"
    )


def keys_text(rows: Iterable[PreferenceRow]) -> str:
    """Return the keys of all rows, one JSON line per row, in order."""
    return "".join(json.dumps(row_key(row)._asdict()) + "\n" for row in rows)


def read_keys(run: Path) -> list[RowKey]:
    """Read the keys of a RUN's training rows; empty for any other folder. Raises SourceError for a broken file."""
    path = run / TRAINED_ON
    if not path.is_file():
        return []
    try:
        return [RowKey(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise SourceError(f"{path} is broken ({error}); delete it, or train again") from error
