"""A row on its way through the stages: a dialogue, the mention that becomes an image, and notes on what each stage did.

Stages are pure functions of drafts: they take a list and return the drafts that go on, and a reject with its reason for
every other one. A stage records what it did in `notes`, which end up in the row's `extra` under "build".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from blindpo.images.base import Candidate
from blindpo.jobs.shards import Reject
from blindpo.rows.row import PreferenceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A named entity in the last user turn: `text` is the turn's characters from `start` up to `end`."""

    start: int
    end: int
    text: str
    type: str | None = None
    """One of images.base.ENTITY_TYPES, or None if the recogniser gives none."""
    score: float = 1.0
    """The recogniser's own score, from 0 to 1."""
    recogniser: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One (dialogue, entity) on its way through the stages."""

    row: PreferenceRow
    """At first the text-only dialogue; each stage fills in its part."""
    mention: Mention
    candidate: Candidate | None = None
    """The image, from the stage `match` on."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: what the stages did and why."""

    @property
    def dialogue_row(self) -> str:
        """Id of the source's row. A draft's own id adds the offset at which the entity's name starts."""
        return self.row.row_id.rpartition("-")[0]

    def noted(self, **notes: Any) -> "Draft":
        """Return the draft with more notes."""
        return replace(self, notes={**self.notes, **notes})

    def reject(self, stage: str, reason: str, row_field: str) -> Reject:
        """Return the reject of this draft; `row_field` is the field that the reason is about."""
        return Reject(row_id=self.row.row_id, field=row_field, reason=reason, stage=stage)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a stage: the drafts that go on, in order, and the rejects."""

    drafts: Sequence[Draft]
    rejects: Sequence[Reject] = ()


class Stage(Protocol):
    """One stage over the drafts of one shard. It may not depend on other shards, on order or on a clock."""

    name: str

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return the drafts that go on, and a reject for each other one."""
