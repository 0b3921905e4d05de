"""Stage 8, out: turn drafts into rows with provenance and split; several splits get folders of their own.

DATA holds all rows. If there are several splits, DATA/train and DATA/test are data folders of the same shards (hard
links for shards of one split), so that `blindpo train DATA/train --eval DATA/test` never mixes them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from blindpo.building.config import BuildConfig
from blindpo.building.draft import Draft, Outcome
from blindpo.errors import RowError
from blindpo.jobs.folder import link_file
from blindpo.jobs.manifest import write_json
from blindpo.jobs.seeds import derive_seed
from blindpo.jobs.shards import Reject
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_shard, write_shard

SOURCE: Final = "build/"
"""Prefix of the source's name in a built row's provenance: it is no longer a row of that source."""


class Out:
    """The last stage: every draft becomes a valid row or a reject."""

    name = "out"

    def __init__(self, config: BuildConfig) -> None:
        self._config = config

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return drafts whose rows are final."""
        kept: list[Draft] = []
        rejects: list[Reject] = []
        for draft in drafts:
            row = self._row(draft)
            try:
                # a benign twin may be for evaluation alone
                require_valid(row, pair=not draft.notes.get("derived"))
            except RowError as error:
                rejects.append(draft.reject(self.name, f"unsound: {error.reason}", error.field))
            else:
                kept.append(replace(draft, row=row))
        return Outcome(kept, rejects)

    def _row(self, draft: Draft) -> PreferenceRow:
        came = draft.row.provenance
        split = came.split or self._split(came.dialogue_id)
        provenance = replace(came, source=SOURCE + came.source.removeprefix(SOURCE), split=split)
        notes = json.dumps({"build": draft.notes}, ensure_ascii=False, sort_keys=True)
        return replace(draft.row, provenance=provenance, extra=notes)

    def _split(self, dialogue_id: str) -> str | None:
        """Draw the split by dialogue, so that no dialogue is in two; None if the recipe asks for no split."""
        if not self._config.test_share:
            return None
        share = derive_seed(self._config.seed, dialogue_id, "split") / 2**63
        return "test" if share < self._config.test_share else "train"


def write_splits(data: Path, splits: dict[str, int]) -> None:
    """Make a data folder below `data` for each of `splits` (name to number of rows), if there are several."""
    if len(splits) < 2:
        return
    # not shard_paths: this folder is not finished yet
    for path in sorted(data.glob("rows-*.parquet")):
        here = {
            record["split"] or "none"
            for record in pq.read_table(path, columns=["provenance"])["provenance"].to_pylist()
        }
        for split in sorted(here):
            folder = data / split
            folder.mkdir(exist_ok=True)
            target = folder / path.name
            if len(here) == 1:
                link_file(path, target)
            elif not target.is_file():
                write_shard(target, _of_split(path, split))
    for split, num_rows in splits.items():
        write_json(data / split / "manifest.json", {"identity": {"command": "build", "split": split}, "kept": num_rows})


def _of_split(path: Path, split: str) -> Iterator[PreferenceRow]:
    return (row for row in read_shard(path) if (row.provenance.split or "none") == split)
