"""The curves of training on the page: the runs of one model in one condition (its seeds) together."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from markupsafe import Markup

from blindpo.reporting.compare import shown_name
from blindpo.reporting.load import Run
from blindpo.reporting.plots import training_figures

CONDITIONS: Final = {
    "paper_like_offpolicy": "Paper-like pairs, off-policy",
    "paper_like_onpolicy": "Paper-like pairs, on-policy",
    "benign_twins": "Pairs with benign twins",
}


class TrainingPart(NamedTuple):
    """The panels of some runs, and what a reader must know of them."""

    panels: list[Markup]
    notes: list[str]


def training_parts(runs: Sequence[Run], conditions: Iterable[str]) -> dict[str, TrainingPart]:
    """By title: the runs of one model in one condition (its seeds) together, without conditions each run alone."""
    groups: dict[str, list[Run]] = {}
    paths = [run.path for run in runs]
    for run in runs:
        here = next((condition for condition in conditions if condition in run.path.resolve().parts), None)
        name = shown_name(run.name)
        alone = name if sum(path.name == run.name for path in paths) == 1 else ending(run.path, paths)
        groups.setdefault(alone if here is None else f"{condition_title(here)}: {name}", []).append(run)
    return {
        title: TrainingPart(panels, list(dict.fromkeys(run.shared for run in group if run.shared)))
        for title, group in groups.items()
        if (panels := training_figures(group))
    }


def ending(path: Path, among: Sequence[Path]) -> str:
    """The end of `path`, as short as tells it from the others."""
    parts = path.resolve().parts
    for length in range(1, len(parts)):
        if sum(other.resolve().parts[-length:] == parts[-length:] for other in among) == 1:
            return "/".join(parts[-length:])
    return path.name


def condition_title(condition: str) -> str:
    """How the page names a condition."""
    return CONDITIONS.get(condition, condition.replace("_", " ").capitalize())
