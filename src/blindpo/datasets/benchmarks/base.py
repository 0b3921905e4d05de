"""The base of benchmarks: a release has records, a record has items, and items become rows here.

A row's `extra` holds `{"benchmark": NAME, "item": {...}}`: facts about an item that the benchmark's protocols need (its
kind, its scenario, a reference) and no row field holds. Categories and labels are read from the data.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blindpo.datasets.download import Download
from blindpo.datasets.formats.base import TAG
from blindpo.datasets.formats.mmsafe_po import split_images
from blindpo.datasets.source import Card
from blindpo.errors import RowError
from blindpo.rows.row import IMAGE, ImageRef, Label, Part, PreferenceRow, Provenance, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkItem:
    """One request of a benchmark, before it becomes a row."""

    item_id: str
    text: str
    images: tuple[str | bytes, ...] = ()
    """Names in the download, or encoded bytes."""
    label: Label
    categories: tuple[str, ...] = ()
    pair: str | None = None
    """Shared by items with the same text and different images."""
    cluster: str | None = None
    """Shared by items made from one case; None stands for the item's own id."""
    subset: str | None = None
    """The kind, type or subset by which protocols group items."""
    meta: Mapping[str, Any] = field(default_factory=dict)


class ItemBenchmark(ABC):
    """A benchmark: its card, its files, their records, and the items of each record."""

    card: Card
    file_names: tuple[str, ...] = ()
    """The names under which the one file that `records` needs may be there, most common first."""

    @property
    def name(self) -> str:
        """The card's name."""
        return self.card.name

    def files(self, download: Download) -> list[str]:
        """Names of the files that `records` needs, except images. Raises SourceError if one is missing."""
        return [download.first(*self.file_names)]

    @abstractmethod
    def records(self, download: Download) -> Sequence[Any]:
        """All records: objects, or tuples of an object and related values. Raises SourceError."""

    @abstractmethod
    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """The items of record `number`, without reading images. Raises RowError; nothing is guessed."""

    def row_ids(self, records: Sequence[Any], download: Download) -> list[tuple[str, ...]]:
        """For each record, the row ids of its items."""
        return [self._ids(record, number, download) for number, record in enumerate(records)]

    def _ids(self, record: Any, number: int, download: Download) -> tuple[str, ...]:
        try:
            return tuple(_row_id(self.card, item) for item in self.items(record, number, download))
        except RowError:
            return ()

    def rows(self, record: Any, number: int, download: Download) -> Iterator[PreferenceRow]:
        """One row for each item."""
        for item in self.items(record, number, download):
            yield _row(self.card, item, download)


def _row_id(card: Card, item: BenchmarkItem) -> str:
    return f"{card.name}-{item.item_id}"


def _row(card: Card, item: BenchmarkItem, download: Download) -> PreferenceRow:
    """The row of one item: images first, then the text, unless the text itself places them by `<image>`."""
    images = tuple(ImageRef(data=image) if isinstance(image, bytes) else download.image(image) for image in item.images)
    if not item.text.strip():
        raise RowError("the request is blank", field="prompt")
    return PreferenceRow(
        row_id=_row_id(card, item),
        prompt=(Turn(role="user", content=_content(item.text, len(images))),),
        images=images,
        categories=item.categories,
        label=item.label,
        pair_id=None if item.pair is None else f"{card.name}-{item.pair}",
        provenance=Provenance(
            source=card.name, source_row_id=item.item_id, dialogue_id=item.cluster or item.item_id, split=item.subset
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
    """The facts that the benchmark kept in this row for its protocols; {} for a row from elsewhere."""
    extra = json.loads(row.extra) if row.extra else {}
    item = extra.get("item") if isinstance(extra, dict) else None
    return item if isinstance(item, dict) else {}


def text_of(record: Any, key: str) -> str:
    """The text of `key`. Raises RowError if it is missing, not text, or blank."""
    value = record.get(key) if isinstance(record, Mapping) else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"the field '{key}' is missing, blank or no text", field=key)
    return value


def texts_of(record: Any, *keys: str) -> tuple[str, ...]:
    """The texts under `keys` of the record: categories, spelled as in the data."""
    values = (record.get(key) for key in keys)
    return tuple(value.strip() for value in values if isinstance(value, str) and value.strip())
