"""How a results file wants to be told: titles for its names, their order, and which folders belong to what.

Whoever writes `results.json` gives these under "story"; the report itself knows no model and no condition by name. A
file without them is shown under its own names.

    "models":      [{"name", "title", "about"}, ...]                in the order of the tables
    "conditions":  [{"name", "title", "about",
                     "evaluations": {model: folder},                whose answers are shown as examples
                     "runs": {model: [folder, ...]}}, ...]          whose curves stand together
    "focus":       [a, b]                                           the models that the headline compares
    "control":     [a, b, words]                                    one comparison more for every condition

Folders are relative to the results file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from blindpo.errors import SourceError

Value = TypeVar("Value")


class Control(NamedTuple):
    """A comparison against a control, by titles, and how the page calls it."""

    a: str
    b: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Titles and order of what a results file holds."""

    titles: Mapping[str, str] = field(default_factory=dict)
    """Of models, by name and in order."""
    abouts: Mapping[str, str] = field(default_factory=dict)
    """A sentence for each model, by title."""
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name and in order, as the file holds them."""
    focus: tuple[str, str] | None = None
    control: Control | None = None

    def title(self, model: str) -> str:
        """A model's name as the page shows it."""
        return self.titles.get(model, model)

    def condition_title(self, condition: str) -> str:
        """A condition's name as the page shows it."""
        return str(self.conditions.get(condition, {}).get("title", condition.replace("_", " ").capitalize()))

    def about(self, condition: str) -> str:
        """What the condition is, in a sentence; empty where the file does not say."""
        return str(self.conditions.get(condition, {}).get("about", ""))

    def by_title(self, models: Mapping[str, Value]) -> dict[str, Value]:
        """`models` under their titles: those of the story in its order, then the others as they come."""
        return {self.title(name): models[name] for name in in_order(models, self.titles)}

    def evaluations(self, condition: str, root: Path) -> dict[Path, str]:
        """The evaluations whose answers are shown for `condition`, as resolved folders, with their model's title."""
        folders = self.conditions.get(condition, {}).get("evaluations", {})
        return {(root / folder).resolve(): self.title(model) for model, folder in folders.items()}

    def runs(self, root: Path) -> dict[Path, str]:
        """The title under which the curves of each run stand, by the run's resolved folder."""
        return {
            (root / folder).resolve(): f"{self.condition_title(condition)}: {self.title(model)}"
            for condition, entry in self.conditions.items()
            for model, folders in entry.get("runs", {}).items()
            for folder in folders
        }


def in_order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Those of `known` in their order, then the others as they come (JSON files sort by name)."""
    names, known = list(names), list(known)
    return [*(name for name in known if name in names), *(name for name in names if name not in known)]


def read_story(results: Mapping[str, Any], path: Path) -> Story:
    """The "story" of a results file; an empty one where it has none. Raises SourceError for another shape."""
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
