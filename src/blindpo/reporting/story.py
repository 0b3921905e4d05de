"""The presentation of a results file: titles for its names, their order, and the folders behind them.

The writer of `results.json` gives these under "story"; the report itself knows no model and no condition by name. A
file without a story is shown under its own names.

    "models":      [{"name", "title", "about"}, ...]                in the order of the tables
    "conditions":  [{"name", "title", "about",
                     "evaluations": {model: folder},                answers to show as examples
                     "runs": {model: [folder, ...]}}, ...]          curves to draw together
    "focus":       [a, b]                                           the models that the headline compares
    "control":     [a, b, words]                                    one more comparison for every condition

Folders are relative to the results file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from blindpo.errors import SourceError

Value = TypeVar("Value")


class Control(NamedTuple):
    """A comparison against a control, by titles, and the page's words for it."""

    a: str
    b: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Titles and order of the models and conditions of a results file."""

    titles: Mapping[str, str] = field(default_factory=dict)
    """Titles of the models, by name and in order."""
    abouts: Mapping[str, str] = field(default_factory=dict)
    """A sentence for each model, by title."""
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The file's entries of the conditions, by name and in order."""
    focus: tuple[str, str] | None = None
    control: Control | None = None

    def title(self, model: str) -> str:
        """Return a model's name for the page."""
        return self.titles.get(model, model)

    def condition_title(self, condition: str) -> str:
        """Return a condition's name for the page."""
        return str(self.conditions.get(condition, {}).get("title", condition.replace("_", " ").capitalize()))

    def about(self, condition: str) -> str:
        """Return the sentence about a condition; empty if the file has none."""
        return str(self.conditions.get(condition, {}).get("about", ""))

    def by_title(self, models: Mapping[str, Value]) -> dict[str, Value]:
        """Return `models` by title: those of the story in its order, then the others in theirs."""
        return {self.title(name): models[name] for name in in_order(models, self.titles)}

    def evaluations(self, condition: str, root: Path) -> dict[Path, str]:
        """Return the evaluations that give examples for `condition`: resolved folder to the model's title."""
        folders = self.conditions.get(condition, {}).get("evaluations", {})
        return {(root / folder).resolve(): self.title(model) for model, folder in folders.items()}

    def runs(self, root: Path) -> dict[Path, str]:
        """Return the title of each run's curves, by the run's resolved folder."""
        return {
            (root / folder).resolve(): f"{self.condition_title(condition)}: {self.title(model)}"
            for condition, entry in self.conditions.items()
            for model, folders in entry.get("runs", {}).items()
            for folder in folders
        }


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the names in the order of `known`, then the others in their own (JSON files sort by name)."""
    names, known = list(names), list(known)
    return [*(name for name in known if name in names), *(name for name in names if name not in known)]


def read_story(results: Mapping[str, Any], path: Path) -> Story:
    """Read the "story" of a results file; an empty one if it has none. Raises SourceError for another shape."""
    content = results.get("story", {})
    try:
        titles = {each["name"]: each["title"] for each in content.get("models", ())}
        focus, control = content.get("focus"), content.get("control")
        return Story(
            titles=titles,
            abouts={each["title"]: each["about"] for each in content.get("models", ())},
            conditions={each["name"]: each for each in content.get("conditions", ())},
            focus=None if focus is None else (titles[focus[0]], titles[focus[1]]),
            control=None if control is None else Control(titles[control[0]], titles[control[1]], str(control[2])),
        )
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path}: 'story' has another shape than reporting/story.py describes ({error!r}); write the results again"
        ) from error
