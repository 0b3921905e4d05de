"""Stage 5, filter: one small class a rule, each with a name and a reason. Add yours to `RULES`.

A recipe lists rules twice: under `filters`, where a match rejects the row, and under `flags`, where it is only marked
and counted. A rule sees one draft and those of the same dialogue that were kept before it; rules run in the recipe's
order and the first that matches counts. Rules about images alone are in `accept.py`: another image may do.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final, Protocol

from blindpo.building.config import BuildConfig
from blindpo.building.draft import Draft, Outcome
from blindpo.building.grammar import mentions_of
from blindpo.building.phrases import POINTS
from blindpo.building.words import STOP_WORDS
from blindpo.images.names import fold
from blindpo.jobs.shards import Reject
from blindpo.rows.checks import violations

_MARKER: Final = re.compile(r"(?:^|\s)(?:USER|ASSISTANT|SYSTEM|Human|Assistant):")
_POINTS: Final = re.compile(rf"\b(?:{'|'.join(POINTS)}|shown|visible|depicted|represented|featured|presented)", re.I)


class Rule(Protocol):
    """One rule. `field` is the row's field that it is about, `reason` says in words what is wrong."""

    name: str
    field: str
    reason: str

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Whether the draft breaks the rule; `kept` are the drafts of its dialogue that stay."""


def names_entity(text: str, entity: str) -> bool:
    """Whether `text` has the whole name on word bounds, letters folded."""
    return bool(mentions_of(text, entity))


def names_part(text: str, entity: str) -> bool:
    """Whether `text` has a word of the name that has more than two letters and is no function word."""
    words = [word for word in re.findall(r"\w+", fold(entity)) if len(word) > 2 and word not in STOP_WORDS]
    return any(mentions_of(text, word) for word in words)


@dataclass(frozen=True)
class DuplicateDialogue:
    """The same turns and responses came before, in the order of the source."""

    name = "duplicate-dialogue"
    field = "prompt"
    reason = "the same dialogue with the same responses came before"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """By the global look at all dialogues between the two passes."""
        return bool(draft.notes.get("duplicate"))


@dataclass(frozen=True)
class OneRowPerDialogue:
    """Keeps the first entity of a dialogue that no other rule rejects; list it last."""

    name = "one-row-per-dialogue"
    field = "entity"
    reason = "another entity of the dialogue has a row"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """One is kept already."""
        return bool(kept)


@dataclass(frozen=True)
class Unsound:
    """Breaks an invariant of every row (`rows/checks.py`): empty or identical responses, roles, image slots, ..."""

    name = "unsound"
    field = "row"
    reason = "an invariant of rows is broken"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Any violation."""
        return bool(violations(draft.row, pair=True))


@dataclass(frozen=True)
class RoleMarker:
    """Literal role markers in a turn or response: formats that hold a dialogue in one string read them as turns."""

    name = "role-marker"
    field = "prompt"
    reason = "a turn or response holds a literal role marker such as 'USER:'"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """In the text as it was or as it is now."""
        row = draft.row
        turns = [turn.text for turn in (*row.prompt, *(row.text_prompt or ()))]
        return any(_MARKER.search(text) for text in (*turns, row.chosen or "", row.rejected or ""))


@dataclass(frozen=True)
class OverLong:
    """Longer than a model's context in all likelihood; tokens are counted by `blindpo check --model`."""

    max_words: int
    name = "over-long"
    field = "prompt"
    reason = "prompt and longer response have more words than max_words"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Words are split at white space."""
        row = draft.row
        longest = max(len((text or "").split()) for text in (row.chosen, row.rejected))
        return sum(len(turn.text.split()) for turn in row.prompt) + longest > self.max_words


@dataclass(frozen=True)
class ShortEntity:
    """One or two letters that are no abbreviation: mostly a mistake of the recogniser."""

    name = "short-entity"
    field = "entity"
    reason = "the name has fewer than three letters and is no abbreviation in capitals"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """By the letters alone."""
        letters = [letter for letter in draft.mention.text if letter.isalnum()]
        return len(letters) < 3 and not draft.mention.text.isupper()


@dataclass(frozen=True)
class LeakQuestion:
    """The last user turn names the entity still: no need to look at the image."""

    name = "leak-question"
    field = "prompt"
    reason = "the last user turn names the entity still"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """The whole name."""
        return names_entity(draft.row.prompt[-1].text, draft.mention.text)


@dataclass(frozen=True)
class LeakHistory:
    """An earlier turn names the entity."""

    name = "leak-history"
    field = "prompt"
    reason = "an earlier turn names the entity still"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """The whole name."""
        return any(names_entity(turn.text, draft.mention.text) for turn in draft.row.prompt[:-1])


@dataclass(frozen=True)
class LeakPart:
    """Any turn has a part of the name, such as a surname."""

    name = "leak-part"
    field = "prompt"
    reason = "a turn has a word of the entity's name"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Words of more than two letters."""
        return any(names_part(turn.text, draft.mention.text) for turn in draft.row.prompt)


@dataclass(frozen=True)
class LeakResponse:
    """A response names the entity. Responses stay as people ranked them, so this is a flag in both recipes."""

    name = "leak-response"
    field = "chosen"
    reason = "a response names the entity"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """The whole name, in either."""
        return any(names_entity(text or "", draft.mention.text) for text in (draft.row.chosen, draft.row.rejected))


@dataclass(frozen=True)
class NoDeictic:
    """Nothing in the prompt points to the image any more."""

    name = "no-deictic"
    field = "prompt"
    reason = "no word of the prompt points to the image"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """By a list of words (phrases.POINTS and a few participles)."""
        return not any(_POINTS.search(turn.text) for turn in draft.row.prompt if turn.role == "user")


@dataclass(frozen=True)
class NotRewritten:
    """A chat model was asked to word the instruction and did not: the template's text stands."""

    name = "not-rewritten"
    field = "prompt"
    reason = "the rewriter's text did not pass its checks, the template's stands"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """By what the stage `rephrase` noted."""
        return "refused" in draft.notes.get("rephrase", {})


RULES: Final[dict[str, Callable[[BuildConfig], Rule]]] = {
    "unsound": lambda config: Unsound(),
    "duplicate-dialogue": lambda config: DuplicateDialogue(),
    "role-marker": lambda config: RoleMarker(),
    "over-long": lambda config: OverLong(config.max_words),
    "short-entity": lambda config: ShortEntity(),
    "leak-question": lambda config: LeakQuestion(),
    "leak-history": lambda config: LeakHistory(),
    "leak-part": lambda config: LeakPart(),
    "leak-response": lambda config: LeakResponse(),
    "no-deictic": lambda config: NoDeictic(),
    "not-rewritten": lambda config: NotRewritten(),
    "one-row-per-dialogue": lambda config: OneRowPerDialogue(),
}


class Filter:
    """The stage: rules that reject, then rules that mark."""

    name = "filter"

    def __init__(self, config: BuildConfig) -> None:
        self._rules = [RULES[name](config) for name in config.filters]
        self._flags = [RULES[name](config) for name in config.flags]

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Drafts that break no rule, with the flags that they carry; drafts of one dialogue stand together."""
        kept: list[Draft] = []
        rejects: list[Reject] = []
        for draft in drafts:
            same = _of_dialogue(draft, kept)
            broken = next((rule for rule in self._rules if rule.matches(draft, same)), None)
            if broken is not None:
                rejects.append(draft.reject(self.name, f"{broken.name}: {broken.reason}", broken.field))
                continue
            marks = [rule.name for rule in self._flags if rule.matches(draft, same)]
            kept.append(draft.noted(flags=marks) if marks else draft)
        return Outcome(kept, rejects)


def _of_dialogue(draft: Draft, kept: Sequence[Draft]) -> list[Draft]:
    """The drafts at the end of `kept` that are of the same source row."""
    return list(takewhile(lambda other: other.dialogue_row == draft.dialogue_row, reversed(kept)))


def flags_of(drafts: Sequence[Draft]) -> Iterator[tuple[str, int]]:
    """How often each flag was set."""
    counts = Counter(flag for draft in drafts for flag in draft.notes.get("flags", ()))
    return iter(sorted(counts.items()))
