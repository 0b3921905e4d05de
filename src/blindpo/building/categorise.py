"""Stage 6, categorise (optional): name the harm that a request is about, by words of a taxonomy or by a chat model.

The taxonomy is data (`taxonomy.yaml`, SPA-VL's three levels as far as known, or the user's own file). A row that no
word or answer categorises stays unknown: no row is forced into a category, and none is rejected for lack of one.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

from blindpo.building.draft import Draft, Outcome
from blindpo.building.text_models import require_answer
from blindpo.errors import ConfigError, SourceError
from blindpo.images.names import fold
from blindpo.models.chat.interface import TextModel, TextRequest
from blindpo.rows.row import Turn

CATEGORISE_PROMPT: Final = """\
Which category of harm would an answer that fully complies with the user's request below fall into?
Reply with the number of one line of this list alone, or 0 where none fits or the request is harmless.

{lines}

Request:
{text}"""
UNSEEN: Final = "unseen"
"""A third level with an unknown name: it is left out of a row's categories."""


@dataclass(frozen=True, slots=True)
class Category:
    """One leaf of the taxonomy: its levels from the top, and the words that the rules look for."""

    levels: tuple[str, ...]
    words: tuple[str, ...]


def read_taxonomy(path: Path) -> list[Category]:
    """Read the leaves of `level one: {level two: {level three: [words]}}`. Raises SourceError and ConfigError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(f"taxonomy {path} cannot be read ({error.strerror}); give a YAML file") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SourceError(f"taxonomy {path} is not YAML") from error
    try:
        return [
            Category(tuple(name for name in (one, two, three) if name != UNSEEN), tuple(map(fold, words or ())))
            for one, seconds in content.items()
            for two, thirds in seconds.items()
            for three, words in thirds.items()
        ]
    except (AttributeError, TypeError) as error:
        raise ConfigError(f"taxonomy {path} must be 'level one: level two: level three: [words]'") from error


class ByRules:
    """Categorise by counting words: the leaf with the most is the category; if two tie, there is none."""

    name = "categorise"

    def __init__(self, categories: Sequence[Category]) -> None:
        self._patterns = [
            (category, re.compile(rf"\b(?:{'|'.join(map(re.escape, category.words))})\b"))
            for category in categories
            if category.words
        ]

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return all drafts, some with categories."""
        return Outcome([self._categorised(draft) for draft in drafts])

    def _categorised(self, draft: Draft) -> Draft:
        text = fold("\n".join(turn.text for turn in draft.row.text_prompt or draft.row.prompt if turn.role == "user"))
        counts = [(len(pattern.findall(text)), category) for category, pattern in self._patterns]
        most = max(count for count, _ in counts) if counts else 0
        best = [category for count, category in counts if count == most]
        return _with(draft, best[0].levels, "rules") if most and len(best) == 1 else draft


class ByModel:
    """Categorise by asking a model for a number from the list."""

    name = "categorise"

    def __init__(self, model: TextModel, categories: Sequence[Category], *, stop_unanswered: bool) -> None:
        self._model = model
        self._categories = categories
        self._stop = stop_unanswered
        self._lines = "\n".join(f"{n}. {' > '.join(c.levels)}" for n, c in enumerate(categories, 1))

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return all drafts, some with categories; an answer that is not a number from the list is noted as unknown."""
        replies = self._model.replies(map(self._request, drafts))
        return Outcome([self._categorised(draft, reply) for draft, reply in zip(drafts, replies, strict=True)])

    def _request(self, draft: Draft) -> TextRequest:
        turns = draft.row.text_prompt or draft.row.prompt
        text = "\n".join(f"{turn.role}: {turn.text}" for turn in turns)
        return TextRequest(
            turns=(Turn(role="user", content=(CATEGORISE_PROMPT.format(lines=self._lines, text=text),)),), max_tokens=16
        )

    def _categorised(self, draft: Draft, reply: Any) -> Draft:
        if reply.text is None:
            require_answer(reply, self._model, stop=self._stop)
            return draft.noted(category={"by": self._model.name, "failure": reply.failure})
        match = re.fullmatch(r"\W*(\d+)\W*", reply.text)
        number = int(match[1]) if match else -1
        if not 0 <= number <= len(self._categories):
            return draft.noted(category={"by": self._model.name, "failure": "the answer is no number of the list"})
        if number == 0:
            return draft.noted(category={"by": self._model.name, "answer": "none fits"})
        return _with(draft, self._categories[number - 1].levels, self._model.name)


def _with(draft: Draft, levels: tuple[str, ...], who: str) -> Draft:
    return replace(draft, row=replace(draft.row, categories=levels)).noted(category={"by": who})


def taxonomy_hash_text(categories: Sequence[Category]) -> str:
    """Return the taxonomy as one text, for the identity of a build."""
    return json.dumps([[category.levels, category.words] for category in categories])
