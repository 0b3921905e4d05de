"""The interface of sources of rows: formats of preference data and public safety benchmarks, read by one importer.

A source gives records, and rows of a record. A benchmark has a card, a format has none: a benchmark is one released set
of files, which must match their hashes and whose rows are counted against the release; a format reads any file of the
user's, and can write rows back (`formats/base.py`).
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
    """The facts about a benchmark that `blindpo benchmarks` shows."""

    name: str
    title: str
    num_rows: int | None
    """Number of rows of the whole release; None if no source states it reliably."""
    size: str
    measures: str
    licence: str
    url: str
    fetch: str
    """What to download, and where to put it in DIR."""
    revision: str | None = None
    """The revision that this source was written for, if the publisher names one."""
    layout: str
    """The source of our knowledge of the layout; `unverified` if it was not read from a release."""
    cheating: bool = False
    """Whether the same text comes with both a safe and an unsafe image."""
    protocols: tuple[str, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Hashes of released files that the publisher states; others are recorded at first use."""

    def fetch_into(self, folder: Path) -> str:
        """What to download, with the folder's real path for DIR."""
        return re.sub(r"\bDIR\b", lambda _: str(folder), self.fetch)

    @property
    def verified(self) -> bool:
        """Whether the layout was read from the publisher's release."""
        return not self.layout.startswith(UNVERIFIED)


class RowSource(Protocol):
    """One source. `download` is the user's folder or file, with the folder of its images."""

    @property
    def name(self) -> str:
        """The name that `blindpo import` takes."""

    @property
    def card(self) -> Card | None:
        """The card of a benchmark; None for a format, which reads any file."""

    def files(self, download: Download) -> list[str]:
        """Names of the files that `records` reads, except images. Raises SourceError if one is missing."""

    def records(self, download: Download) -> Sequence[Any]:
        """All records. Raises SourceError if a file is missing, truncated or altered."""

    def row_ids(self, records: Sequence[Any], download: Download) -> list[tuple[str, ...]]:
        """For each record the ids of its rows, without reading images; () if it gives none."""

    def rows(self, record: Any, number: int, download: Download) -> Iterator[PreferenceRow]:
        """The rows of record `number`. Raises RowError; nothing is guessed."""


class Benchmark(RowSource, Protocol):
    """A source with a card."""

    @property
    def card(self) -> Card:
        """The card, which every benchmark has."""
