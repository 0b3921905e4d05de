"""Find the checkpoints that count: those with a completeness mark, which is written last.

transformers writes a checkpoint in place and resumes from the highest number whether it is whole or not. Here a
checkpoint whose writing was interrupted has no mark, is deleted and is never resumed from.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blindpo.jobs.manifest import read_json, write_json

COMPLETE_MARK: Final = "complete.json"
CHECKPOINT_PREFIX: Final = "checkpoint-"


def mark_complete(folder: Path, sums: Sequence[Mapping[str, Any]]) -> None:
    """Mark that everything in `folder` is written; `sums` are each process's metrics since the last log."""
    write_json(folder / COMPLETE_MARK, {"step": _step(folder), "sums": sums})


def drop_half_written(run: Path) -> None:
    """Delete half-written checkpoints. One process alone may call this: two would delete files under each other."""
    for folder in _checkpoints(run):
        if not (folder / COMPLETE_MARK).is_file():
            shutil.rmtree(folder)


def latest_complete(run: Path) -> Path | None:
    """The newest whole checkpoint of a run; None where there is none."""
    whole = [folder for folder in _checkpoints(run) if (folder / COMPLETE_MARK).is_file()]
    return whole[-1] if whole else None


def keep_newest(run: Path, keep: int, best: str | None) -> None:
    """Delete all but the newest `keep` checkpoints and the `best` one."""
    for folder in _checkpoints(run)[:-keep]:
        if best is None or folder.name != Path(best).name:
            (folder / COMPLETE_MARK).unlink(
                missing_ok=True
            )  # first the mark: a kill during deletion leaves nothing that counts
            shutil.rmtree(folder)


def state_of(checkpoint: Path) -> tuple[int, list[dict[str, Any]]]:
    """The step of a whole checkpoint, and the metric sums of each process."""
    content = read_json(checkpoint / COMPLETE_MARK)
    return int(content["step"]), list(content["sums"])


def _checkpoints(run: Path) -> list[Path]:
    checkpoints = [
        path
        for path in run.glob(f"{CHECKPOINT_PREFIX}*")
        if path.is_dir() and path.name[len(CHECKPOINT_PREFIX) :].isdigit()
    ]
    return sorted(checkpoints, key=_step)


def _step(folder: Path) -> int:
    return int(folder.name[len(CHECKPOINT_PREFIX) :])
