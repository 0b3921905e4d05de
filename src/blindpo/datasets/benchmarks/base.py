"""What a benchmark is: its card, the records of a download, and the rows of a record.

A row's `extra` holds `{"benchmark": NAME, "item": {...}}`: what the benchmark's protocols read of an item (its kind,
its scenario, a reference) and no row field has room for. Categories and labels are read from the data.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from blindpo.datasets.benchmarks.download import Download
from blindpo.datasets.formats.base import TAG
from blindpo.datasets.formats.mmsafe_po import split_images
from blindpo.errors import RowError
from blindpo.rows.row import IMAGE, ImageRef, Label, Part, PreferenceRow, Provenance, Turn

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
    """The revision that this adapter was written for, where a source names one."""
    layout: str
    """Where the released layout was read; `unverified` where it was not."""
    cheating: bool = False
    """Whether the same text stands under a safe and an unsafe image."""
    protocols: tuple[str, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Hashes of released files, where a source gives them; others are recorded at first use."""

    def fetch_into(self, folder: Path) -> str:
        """What to download, with the folder's real path for DIR."""
        return re.sub(r"\bDIR\b", lambda _: str(folder), self.fetch)

    @property
    def verified(self) -> bool:
        """Whether the layout was read from a source."""
        return not self.layout.startswith(UNVERIFIED)


class Benchmark(Protocol):
    """One benchmark."""

    @property
    def card(self) -> Card:
        """What it is."""
        ...

    def files(self, download: Download) -> list[str]:
        """The files without which nothing can be read, images aside. Raises SourceError where one is missing."""
        ...

    def records(self, download: Download) -> Sequence[Any]:
        """All records. Raises SourceError where a file is missing, cut or altered."""
        ...

    def rows(self, record: Any, number: int, download: Download) -> Iterator[PreferenceRow]:
        """The rows of record `number`. Raises RowError; nothing is guessed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One request of a benchmark, before it is a row."""

    item_id: str
    text: str
    images: tuple[str | bytes, ...] = ()
    """Names in the download, or encoded bytes."""
    label: Label
    categories: tuple[str, ...] = ()
    pair: str | None = None
    """Items that share a text and differ in the image share it."""
    cluster: str | None = None
    """Items made from one case share it; the item's own id where None."""
    subset: str | None = None
    """The kind, type or subset that protocols group by."""
    meta: Mapping[str, Any] = field(default_factory=dict)


def make_row(card: Card, item: Item, download: Download) -> PreferenceRow:
    """The row of one item: images first, then the text, unless the text itself places them by `<image>`."""
    images = tuple(ImageRef(data=image) if isinstance(image, bytes) else download.image(image) for image in item.images)
    if not item.text.strip():
        raise RowError("the request is blank", field="prompt")
    return PreferenceRow(
        row_id=f"{card.name}-{item.item_id}",
        prompt=(Turn(role="user", content=_content(item.text, len(images))),),
        images=images,
        categories=item.categories,
        label=item.label,
        pair_id=None if item.pair is None else f"{card.name}-{item.pair}",
        provenance=Provenance(
            source=card.name,
            source_row_id=item.item_id,
            dialogue_id=item.cluster or item.item_id,
            split=item.subset,
        ),
        extra=json.dumps({"benchmark": card.name, "item": dict(item.meta)}, ensure_ascii=False, sort_keys=True),
    )


def _content(text: str, num_images: int) -> tuple[Part, ...]:
    if TAG not in text:
        return (*(IMAGE for _ in range(num_images)), text)
    parts = split_images(text)
    if sum(part is IMAGE for part in parts) != num_images:
        raise RowError(f"the text holds {TAG} {text.count(TAG)} times for {num_images} images", field="prompt")
    return parts


def item_meta(row: PreferenceRow) -> dict[str, Any]:
    """What the row's benchmark kept for its protocols; {} for a row of no benchmark."""
    found = json.loads(row.extra) if row.extra else {}
    item = found.get("item") if isinstance(found, dict) else None
    return item if isinstance(item, dict) else {}


def text_of(record: Any, key: str) -> str:
    """The text of `key`. Raises RowError where it is missing, no text, or blank."""
    value = record.get(key) if isinstance(record, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"the field '{key}' is missing, blank or no text", field=key)
    return value


def words_of(record: Any, *keys: str) -> tuple[str, ...]:
    """The texts of those `keys` that the record has: its categories as the data spell them."""
    found = (record.get(key) for key in keys)
    return tuple(value.strip() for value in found if isinstance(value, str) and value.strip())
