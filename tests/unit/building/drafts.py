"""Drafts and rows made in one line, for the tests of single stages."""

from typing import Any

from tests.unit.building.worlds import image

from blindpo.building.draft import Draft, Mention
from blindpo.images.base import Candidate
from blindpo.rows.row import Entity, ImageRef, PreferenceRow, Provenance, Turn


def turns_of(*texts: str) -> tuple[Turn, ...]:
    """User and assistant turns by turns."""
    return tuple(Turn(role=("user", "assistant")[n % 2], content=(text,)) for n, text in enumerate(texts))


def row_of(*texts: str, row_id: str = "r-1", **fields: Any) -> PreferenceRow:
    """A text-only row with a pair."""
    given = {"chosen": "No.", "rejected": "Yes.", **fields}
    provenance = Provenance(source="test", source_row_id=row_id, dialogue_id=row_id)
    return PreferenceRow(row_id=row_id, prompt=turns_of(*texts), provenance=provenance, **given)


def draft_of(*texts: str, name: str, kind: str | None = "LOC", **fields: Any) -> Draft:
    """A draft after the stage `match`: `name` stands in the last of `texts`."""
    replacement = fields.pop("replacement", None)
    row = row_of(*texts, **fields)
    start = texts[-1].find(name)
    mention = Mention(start=start, end=start + len(name), text=name, type=kind)
    candidate = Candidate(image=ImageRef(data=image(name), title=name), source="catalogue", entity_type=kind)
    entity = Entity(text=name, type=kind, replacement=replacement)
    made = PreferenceRow(
        row_id=f"{row.row_id}-{start}", prompt=row.prompt, text_prompt=row.prompt, entity=entity, chosen=row.chosen,
        rejected=row.rejected, provenance=row.provenance,
    )  # fmt: skip
    return Draft(row=made, mention=mention, candidate=candidate)
