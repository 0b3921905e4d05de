"""Checkpoints that count only when they are whole.

transformers writes a checkpoint in place and resumes from the highest number, whole or not. Here a mark is written
into it last, and folders without one are removed before a run goes on.
"""

import shutil
from pathlib import Path
from typing import Any, Final

from blindpo.runs.manifest import read_json, write_json, write_text

MARK: Final = "blindpo_complete.json"


def mark_complete(checkpoint: Path, state: dict[str, Any]) -> None:
    """Write the mark, with the trainer's own `state` (running means) in it."""
    write_json(checkpoint / MARK, state)


def last_complete(run: Path) -> Path | None:
    """The newest whole checkpoint of `run`; broken ones are removed."""
    whole = []
    for folder in run.glob("checkpoint-*"):
        if (folder / MARK).is_file():
            whole.append(folder)
        else:
            shutil.rmtree(folder)
    return max(whole, key=lambda folder: int(folder.name.rpartition("-")[2]), default=None)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """What `mark_complete` was given."""
    state: dict[str, Any] = read_json(checkpoint / MARK)
    return state


def cut_metrics(metrics: Path, lines: int) -> None:
    """Keep the first `lines` lines of `metrics`: those that were written when the checkpoint was."""
    if metrics.is_file():
        kept = metrics.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
        write_text(metrics, "".join(kept))
