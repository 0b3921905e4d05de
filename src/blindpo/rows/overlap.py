"""Which rows were trained on: what a RUN remembers of its rows, and how many of other rows are among them.

A row is known by what it asks (its turns and its images, whatever its id, responses or folder), and by its dialogue.
Only hashes are kept, so that a RUN says what it was trained on without holding a text.
"""

import json
from collections.abc import Collection, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from blindpo.errors import SourceError
from blindpo.rows.row import PreferenceRow

TRAINED_ON: Final = "trained_on.jsonl"
"""In a RUN: one line a row, its keys. No suffix that counts to a model's identity."""
KEY_CHARS: Final = 32


class RowKey(NamedTuple):
    """What tells whether two rows are the same request, or from the same dialogue: hashes, 32 hex digits each."""

    request: str
    dialogue: str


def row_key(row: PreferenceRow) -> RowKey:
    """The keys of one row."""
    turns = [[turn.role, [part if isinstance(part, str) else None for part in turn.content]] for turn in row.prompt]
    return RowKey(
        request=_hash([turns, [image.sha256 for image in row.images]]),
        dialogue=_hash([row.provenance.source, row.provenance.dialogue_id]),
    )


def _hash(value: object) -> str:
    return sha256(json.dumps(value).encode()).hexdigest()[:KEY_CHARS]


def num_trained_on(rows: Iterable[PreferenceRow], trained: Collection[RowKey]) -> int:
    """How many of `rows` were trained on: the same request, or another row of a dialogue that was trained on."""
    requests, dialogues = {key.request for key in trained}, {key.dialogue for key in trained}
    return sum(key.request in requests or key.dialogue in dialogues for key in map(row_key, rows))


def shared_words(shared: int, total: int) -> str:
    """What is said of evaluation rows that were trained on; empty where there are none.

    (3, 10) -> "3 of 10 evaluation rows are training rows (same request or same dialogue): ..."
    """
    if not shared:
        return ""
    return (
        f"{shared} of {total} evaluation rows are training rows (same request or same dialogue): "
        "these figures tell what was learned by heart, not what holds on new rows"
    )


def keys_text(rows: Iterable[PreferenceRow]) -> str:
    """The keys of all rows, a JSON line each, in the order of the rows."""
    return "".join(json.dumps(row_key(row)._asdict()) + "\n" for row in rows)


def read_keys(run: Path) -> list[RowKey]:
    """What a RUN was trained on; empty for another folder. Raises SourceError where the file is broken."""
    path = run / TRAINED_ON
    if not path.is_file():
        return []
    try:
        return [RowKey(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as error:
        raise SourceError(f"{path} is broken ({error}); delete it, or train again") from error
