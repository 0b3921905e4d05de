"""Responses of a local model made by several processes, or by Ray actors that share the disk: the bytes are the same.

Each worker loads the model once and reads the rows once, in order, since its shards come in rising numbers. What a
shard holds depends on its rows alone, so a run that was killed on one engine goes on with another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import json_lines
from blindpo.answer.shards import Part, blocks
from blindpo.answer.views import pictures_for
from blindpo.jobs.engine import Engine
from blindpo.jobs.manifest import write_text
from blindpo.jobs.progress import progress
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import count_rows, read_rows

if TYPE_CHECKING:
    from blindpo.answer.local import Prompts
    from blindpo.models.vlm.load import Vlm


@dataclass(slots=True, kw_only=True)
class LocalShards:
    """Makes one shard of responses; sent to a worker as it is, it loads what it needs there."""

    config: AnswerConfig
    data: Path
    work: Path
    model: ModelSource
    views: Sequence[str]
    likelihoods: bool
    safe_images: str | None
    loaded: "tuple[Vlm, Prompts] | None" = field(default=None, init=False)
    rows: "Iterator[list[PreferenceRow]] | None" = field(default=None, init=False)
    next_shard: int = field(default=0, init=False)

    def __call__(self, shard: int) -> int:
        """Answer the rows of shard `shard` and store the responses."""
        from blindpo.answer.local import respond  # torch: in the worker

        vlm, prompts = self._load()
        rows = self._rows_of(shard)
        responses = respond(vlm, self.config, rows, views=self.views, likelihoods=self.likelihoods, cache=prompts)
        write_text(shard_path(self.work, shard), json_lines(responses))
        return shard

    def _load(self) -> "tuple[Vlm, Prompts]":
        if self.loaded is None:
            from blindpo.answer.local import Prompts
            from blindpo.models.vlm.load import load_vlm

            safe = None if self.safe_images is None else Path(self.safe_images)
            pictures = pictures_for(self.data, self.views, safe)
            vlm = load_vlm(self.model, dtype=self.config.dtype, image_padding=self.config.image_padding)
            self.loaded = (vlm, Prompts(vlm.processor, "", None, pictures=pictures))
        return self.loaded

    def _rows_of(self, shard: int) -> list[PreferenceRow]:
        if self.rows is None or shard < self.next_shard:
            self.rows, self.next_shard = blocks(read_rows(self.data), self.config.shard_rows), 0
        found: list[PreferenceRow] = []
        while self.next_shard <= shard:
            found = next(self.rows)
            self.next_shard += 1
        return found


def shard_path(work: Path, shard: int) -> Path:
    """Where the responses of a shard lie while the run goes on."""
    return work / f"responses-{shard:05d}.jsonl"


def write_by_engine(job: LocalShards, *, engine: Engine, part: Part) -> list[Path]:
    """Make the part's shards that are not in `work` yet; returns all of them in order."""
    shards = [number for number in range(-(-count_rows(job.data) // job.config.shard_rows)) if part.holds(number)]
    missing = [number for number in shards if not shard_path(job.work, number).is_file()]
    with progress(len(shards), "evaluate", done=len(shards) - len(missing)) as bar:
        for _ in engine.map(job, missing):
            bar.update(1)
    return [shard_path(job.work, number) for number in shards]
