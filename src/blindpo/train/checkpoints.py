"""Which checkpoints count: those with a completeness mark, which is written last.

transformers writes a checkpoint in place and resumes from the highest number whether it is whole or not. Here a
checkpoint that was killed half written has no mark, is deleted and is never resumed from.
"""

import shutil
from pathlib import Path
from typing import Any, Final

from blindpo.runs.manifest import read_json, write_json

MARK: Final = "complete.json"
PREFIX: Final = "checkpoint-"


def mark_complete(folder: Path, sums: dict[str, Any]) -> None:
    """Say that everything in `folder` is written; `sums` are the metrics since the last log."""
    write_json(folder / MARK, {"step": _step(folder), "sums": sums})


def latest_complete(run: Path) -> Path | None:
    """The newest whole checkpoint of a run, after half-written ones were deleted; None where there is none."""
    found = _checkpoints(run)
    for folder in found:
        if not (folder / MARK).is_file():
            shutil.rmtree(folder)
    whole = [folder for folder in found if folder.is_dir()]
    return whole[-1] if whole else None


def keep_newest(run: Path, keep: int, best: str | None) -> None:
    """Delete all but the newest `keep` checkpoints and the `best` one."""
    for folder in _checkpoints(run)[:-keep]:
        if best is None or folder.name != Path(best).name:
            (folder / MARK).unlink(missing_ok=True)  # first the mark: a kill amid deletion leaves nothing that counts
            shutil.rmtree(folder)


def state_of(checkpoint: Path) -> tuple[int, dict[str, Any]]:
    """The step of a whole checkpoint, and its metric sums."""
    content = read_json(checkpoint / MARK)
    return int(content["step"]), dict(content["sums"])


def _checkpoints(run: Path) -> list[Path]:
    found = [path for path in run.glob(f"{PREFIX}*") if path.is_dir() and path.name[len(PREFIX) :].isdigit()]
    return sorted(found, key=_step)


def _step(folder: Path) -> int:
    return int(folder.name[len(PREFIX) :])
