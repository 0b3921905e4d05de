"""Rows as Inspect samples and back, without losing anything that a judge or a measure reads.

The sample carries its messages with the images inside (data URIs: a log can be read anywhere), and its metadata names
the folder and the id of the row, which scorers read for all else.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentText,
)

from blindpo.models.chat.client import data_url
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Turn
from blindpo.rows.shards import read_rows

DATA: Final = "data_folder"
"""The key of a sample's metadata that names the folder of its row."""


def sample_of(row: PreferenceRow, data: Path) -> Sample:
    """One row as a sample; its target is the label, which no metric of Inspect reads as text."""
    return Sample(
        id=row.row_id,
        input=messages_of(row),
        target=row.label,
        metadata={
            "row_id": row.row_id,
            "label": row.label,
            "pair_id": row.pair_id,
            "categories": list(row.categories),
            "dialogue_id": row.provenance.dialogue_id,
            "source": row.provenance.source,
            "split": row.provenance.split,
            DATA: str(data),
        },
    )


def messages_of(row: PreferenceRow) -> list[ChatMessage]:
    """The row's turns as chat messages, images in their places."""
    images = iter(row.images)
    return [_message(turn, images) for turn in row.prompt]


def _message(turn: Turn, images: Iterator[ImageRef]) -> ChatMessage:
    content: list[Any] = [
        ContentImage(image=data_url(next(images).data)) if part is IMAGE else ContentText(text=str(part))
        for part in turn.content
    ]
    kinds = {"user": ChatMessageUser, "assistant": ChatMessageAssistant, "system": ChatMessageSystem}
    return kinds[turn.role](content=content)


@lru_cache(maxsize=8)
def rows_by_id(data: str) -> Mapping[str, PreferenceRow]:
    """All rows of a data folder by id; held in memory while a task is scored."""
    return {row.row_id: row for row in read_rows(Path(data))}
