"""What a source of rows is: a format of preference data or a public safety benchmark, read by one importer.

A source gives records, and rows of a record. What tells a benchmark from a format is its card: a benchmark is one
released set of files, which are held to their hashes and whose rows are counted against the release; a format reads
any file that the user has, and can write rows back (`formats/base.py`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from blindpo.datasets.download import Download
from blindpo.rows.row import PreferenceRow

UNVERIFIED: Final = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What `blindpo benchmarks` says of a benchmark."""

    name: str
    title: str
    num_rows: int | None
    """Rows that the whole release gives; None where no source says so for certain."""
    size: str
    measures: str
    licence: str
    url: str
    fetch: str
    """What to download, and how it must lie in DIR."""
    revision: str | None = None
    """The revision that this source was written for, where the publisher names one."""
    layout: str
    """Where the released layout was read; `unverified` where it was not."""
    cheating: bool = False
    """Whether the same text stands under a safe and an unsafe image."""
    protocols: tuple[str, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Hashes of released files, where the publisher gives them; others are recorded at first use."""

    def fetch_into(self, folder: Path) -> str:
        """What to download, with the folder's real path for DIR."""
        return re.sub(r"\bDIR\b", lambda _: str(folder), self.fetch)

    @property
    def verified(self) -> bool:
        """Whether the layout was read from what the publisher released."""
        return not self.layout.startswith(UNVERIFIED)


class RowSource(Protocol):
    """One source. `download` is what the user named: a folder or a file, and where its images lie."""

    @property
    def name(self) -> str:
        """The word that `blindpo import` takes."""
        ...

    @property
    def card(self) -> Card | None:
        """The card of a benchmark; None for a format, which reads any file."""
        ...

    def files(self, download: Download) -> list[str]:
        """Names of the files that `records` reads, images aside. Raises SourceError where one is missing."""
        ...

    def records(self, download: Download) -> Sequence[Any]:
        """All records. Raises SourceError where a file is missing, cut or altered."""
        ...

    def row_ids(self, records: Sequence[Any], download: Download) -> list[tuple[str, ...]]:
        """For each record the ids of its rows, before any image is read; () where it gives none."""
        ...

    def rows(self, record: Any, number: int, download: Download) -> Iterator[PreferenceRow]:
        """The rows of record `number`. Raises RowError; nothing is guessed."""
        ...


class Benchmark(RowSource, Protocol):
    """A source with a card."""

    @property
    def card(self) -> Card:
        """The card, which every benchmark has."""
        ...
