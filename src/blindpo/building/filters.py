"""Stage 5, filter: one small class per rule, each with a name and a reason. Add yours to `RULES`.

A recipe has two lists of rules: under `filters` a match rejects the row, under `flags` it is only marked and counted. A
rule sees one draft and the drafts of the same dialogue that were kept before it; rules run in the recipe's order and
the first that matches counts. Rules about images alone are in `accept.py`: there another image may do.
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
    """One rule. `field` is the row's field concerned, `reason` says what is wrong."""

    name: str
    field: str
    reason: str

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Return whether the draft breaks the rule; `kept` are the drafts of its dialogue kept so far."""


def names_entity(text: str, entity: str) -> bool:
    """Return whether `text` has the whole name on word boundaries, case and accents folded."""
    return bool(mentions_of(text, entity))


def names_part(text: str, entity: str) -> bool:
    """Return whether `text` has a word of the name with more than two letters that is not a function word."""
    words = [word for word in re.findall(r"\w+", fold(entity)) if len(word) > 2 and word not in STOP_WORDS]
    return any(mentions_of(text, word) for word in words)


@dataclass(frozen=True)
class DuplicateDialogue:
    """Reject a dialogue whose turns and responses came before, in the order of the source."""

    name = "duplicate-dialogue"
    field = "prompt"
    reason = "the same dialogue with the same responses came before"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Read the note made from all dialogues between the two passes."""
        return bool(draft.notes.get("duplicate"))


@dataclass(frozen=True)
class OneRowPerDialogue:
    """Keep only the first entity of a dialogue that no other rule rejects; list this rule last."""

    name = "one-row-per-dialogue"
    field = "entity"
    reason = "another entity of the dialogue has a row"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Match if one draft is kept already."""
        return bool(kept)


@dataclass(frozen=True)
class Unsound:
    """Reject a broken row invariant (`rows/checks.py`): empty or identical responses, roles, image slots, ..."""

    name = "unsound"
    field = "row"
    reason = "an invariant of rows is broken"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Match any violation."""
        return bool(violations(draft.row, pair=True))


@dataclass(frozen=True)
class RoleMarker:
    """Reject literal role markers in a text: formats that hold a dialogue in one string read them as turns."""

    name = "role-marker"
    field = "prompt"
    reason = "a turn or response holds a literal role marker such as 'USER:'"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Search both the original and the reworded text."""
        row = draft.row
        turns = [turn.text for turn in (*row.prompt, *(row.text_prompt or ()))]
        return any(_MARKER.search(text) for text in (*turns, row.chosen or "", row.rejected or ""))


@dataclass(frozen=True)
class OverLong:
    """Reject what is probably longer than a model's context; `blindpo check --model` counts tokens."""

    max_words: int
    name = "over-long"
    field = "prompt"
    reason = "prompt and longer response have more words than max_words"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Count words split at white space."""
        row = draft.row
        longest = max(len((text or "").split()) for text in (row.chosen, row.rejected))
        return sum(len(turn.text.split()) for turn in row.prompt) + longest > self.max_words


@dataclass(frozen=True)
class ShortEntity:
    """Reject names of one or two letters that are not an abbreviation: mostly a recogniser's mistakes."""

    name = "short-entity"
    field = "entity"
    reason = "the name has fewer than three letters and is no abbreviation in capitals"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Look at letters and digits alone."""
        letters = [letter for letter in draft.mention.text if letter.isalnum()]
        return len(letters) < 3 and not draft.mention.text.isupper()


@dataclass(frozen=True)
class LeakQuestion:
    """Reject a last user turn that still names the entity: the image is not needed."""

    name = "leak-question"
    field = "prompt"
    reason = "the last user turn names the entity still"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """The whole name."""
        return names_entity(draft.row.prompt[-1].text, draft.mention.text)


@dataclass(frozen=True)
class LeakHistory:
    """Reject an earlier turn that names the entity."""

    name = "leak-history"
    field = "prompt"
    reason = "an earlier turn names the entity still"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """The whole name."""
        return any(names_entity(turn.text, draft.mention.text) for turn in draft.row.prompt[:-1])


@dataclass(frozen=True)
class LeakPart:
    """Reject any turn that has a part of the name, such as a surname."""

    name = "leak-part"
    field = "prompt"
    reason = "a turn has a word of the entity's name"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Search for words of more than two letters."""
        return any(names_part(turn.text, draft.mention.text) for turn in draft.row.prompt)


@dataclass(frozen=True)
class LeakResponse:
    """Match a response that names the entity. A flag in both recipes, since responses stay as people ranked them."""

    name = "leak-response"
    field = "chosen"
    reason = "a response names the entity"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Search both responses for the whole name."""
        return any(names_entity(text or "", draft.mention.text) for text in (draft.row.chosen, draft.row.rejected))


@dataclass(frozen=True)
class NoDeictic:
    """Reject a prompt in which nothing points to the image any more."""

    name = "no-deictic"
    field = "prompt"
    reason = "no word of the prompt points to the image"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Search for words from a list (phrases.POINTS and a few participles)."""
        return not any(_POINTS.search(turn.text) for turn in draft.row.prompt if turn.role == "user")


@dataclass(frozen=True)
class NotRewritten:
    """Match an instruction that a chat model failed to reword, so that the template's text was kept."""

    name = "not-rewritten"
    field = "prompt"
    reason = "the rewriter's text did not pass its checks, the template's stands"

    def matches(self, draft: Draft, kept: Sequence[Draft]) -> bool:
        """Read the note of the stage `rephrase`."""
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
    """The stage: first the rules that reject, then the rules that mark."""

    name = "filter"

    def __init__(self, config: BuildConfig) -> None:
        self._rules = [RULES[name](config) for name in config.filters]
        self._flags = [RULES[name](config) for name in config.flags]

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return the drafts that break no rule, with their flags. Drafts of one dialogue must be adjacent."""
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
    """Return the drafts at the end of `kept` that come from the same source row."""
    return list(takewhile(lambda other: other.dialogue_row == draft.dialogue_row, reversed(kept)))


def flag_counts(drafts: Sequence[Draft]) -> Iterator[tuple[str, int]]:
    """Count how often each flag was set."""
    return iter(sorted(Counter(flag for draft in drafts for flag in draft.notes.get("flags", ())).items()))
