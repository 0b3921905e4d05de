"""The stage of responses: answer every row of a data folder under its views, shard by shard, and store each once.

Judging never asks again. For a row with a pair, the mean log-probability per token of chosen and rejected is stored
with the `as_is` response, if a local model answers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from blindpo.answer.answerer import Answerer, Ask
from blindpo.answer.response import json_lines
from blindpo.answer.views import has_view, images_for, shown_row
from blindpo.errors import RowError
from blindpo.jobs.manifest import write_text
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import RowBlocks
from blindpo.rows.view_names import VIEWS, View
from blindpo.rows.views import OtherImages


@dataclass(slots=True, kw_only=True)
class ResponseJob:
    """Makes shards of responses; in another process it reads its rows and loads its answerer there."""

    rows: RowBlocks
    folder: Path
    """The folder for the shards."""
    answerer: Answerer
    views: Sequence[str]
    safe_images: Path | None = None
    _images: OtherImages | None = field(default=None, init=False)

    def files(self, number: int) -> Sequence[Path]:
        """Return the one file of a shard."""
        return (shard_path(self.folder, number),)

    def __call__(self, number: int) -> None:
        """Make and store shard `number`. Raises UnansweredError if a server did not answer in full."""
        if self._images is None:
            self._images = images_for(self.rows.data, self.views, self.safe_images)
        asks = [
            Ask(row=row, view=view, shown=_shown(row, view, self._images), sample=VIEWS.index(view))
            for row in self.rows(number)
            for view in VIEWS
            if view in self.views and has_view(row, view)
        ]
        write_text(self.files(number)[0], json_lines(self.answerer.respond(asks)))


def shard_path(folder: Path, number: int) -> Path:
    """Return the file of responses of shard `number`."""
    return folder / f"responses-{number:05d}.jsonl"


def joined_text(shards: Iterable[tuple[int, Path]]) -> str:
    """Return the content of responses.jsonl, joined from all shards, each given by number and folder."""
    return "".join(shard_path(folder, number).read_text(encoding="utf-8") for number, folder in shards)


def _shown(row: PreferenceRow, view: View, images: OtherImages) -> PreferenceRow | str:
    try:
        return shown_row(row, view, images)
    except RowError as error:
        return error.reason
