"""The training curves on the page: runs of one model in one condition (its seeds) are drawn together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from blindpo.reporting.load import Run
from blindpo.reporting.plots import training_figures


class TrainingPart(NamedTuple):
    """The panels of some runs, and warnings about them."""

    panels: list[Markup]
    notes: list[str]


def training_parts(runs: Sequence[Run], titles: Mapping[Path, str]) -> dict[str, TrainingPart]:
    """Return panels by title: runs with the same title in `titles` (by resolved folder) together, others alone."""
    groups: dict[str, list[Run]] = {}
    paths = [run.path for run in runs]
    for run in runs:
        alone = run.name if sum(path.name == run.name for path in paths) == 1 else ending(run.path, paths)
        groups.setdefault(titles.get(run.path.resolve(), alone), []).append(run)
    return {
        title: TrainingPart(panels, list(dict.fromkeys(run.shared for run in group if run.shared)))
        for title, group in groups.items()
        if (panels := training_figures(group))
    }


def ending(path: Path, among: Sequence[Path]) -> str:
    """Return the shortest end of `path` that differs from all others."""
    parts = path.resolve().parts
    for length in range(1, len(parts)):
        if sum(other.resolve().parts[-length:] == parts[-length:] for other in among) == 1:
            return "/".join(parts[-length:])
    return path.name
