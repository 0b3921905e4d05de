"""One decision an item, by whoever the protocol says decides; what has none says why.

A judge's reply is stored raw beside its decision. A reply that never came (`failed`) and one without a decision
(`unparsed`) are told apart: the first may be asked again, the second is the judge's own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindpo.answer.response import Response, View
from blindpo.answer.views import Pictures, shown_row
from blindpo.datasets.benchmarks.base import item_meta
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.evaluation.measures import RowMeta
from blindpo.evaluation.protocols.ours import ENGAGEMENT_PROTOCOLS
from blindpo.evaluation.protocols.protocol import Protocol, Wording
from blindpo.evaluation.protocols.refusal_strings import REFUSES, StringRule
from blindpo.evaluation.protocols.wordings import conversation, mark_of
from blindpo.models.chat.interface import TextModel, TextRequest
from blindpo.rows.row import IMAGE, PreferenceRow, Turn
from blindpo.rows.shards import read_rows

NO_RESPONSE = "the model gave no response"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one item counts as under one protocol."""

    row_id: str
    decision: str | None
    why: str | None = None
    """Why there is none: "unparsed", or what failed."""
    again: bool = False
    """Whether asking again may help."""
    raw: str | None = None
    """The judge's reply to the letter."""
    model: str | None = None
    """What the judge's server says answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What decisions are made of: the rows, and what was said and judged, by row and view.

    `rows` are held without their images (a benchmark's may be gigabytes); `folder` is read again where they are shown.
    """

    folder: Path
    rows: Sequence[PreferenceRow]
    metas: Mapping[str, RowMeta]
    responses: Mapping[tuple[str, View], Response]
    verdicts: Mapping[tuple[str, View], Verdict]
    pictures: Pictures


def items(protocol: Protocol, stored: Stored) -> list[PreferenceRow]:
    """The rows that this protocol decides on."""
    if not protocol.given_refused:
        return list(stored.rows)
    refused = {row_id for (row_id, view), v in stored.verdicts.items() if view == "as_is" and v.engagement == REFUSES}
    return [row for row in stored.rows if row.row_id in refused]


def decide(
    protocol: Protocol,
    stored: Stored,
    *,
    wording: Wording | None = None,
    rule: StringRule | None = None,
    judge: TextModel | None = None,
) -> Iterator[Decision]:
    """The decisions, in the order of `items`. Raises ConfigError where the judge is missing."""
    rows = items(protocol, stored)
    if protocol.decides == "judge":
        if judge is None or wording is None:
            raise ConfigError(f"{protocol.id} needs a judge; name one with --judge chat:MODEL")
        yield from _ask(protocol, rows, stored, wording=wording, judge=judge)
        return
    for row in rows:
        response = stored.responses.get((row.row_id, protocol.view))
        if protocol.decides == "verdicts":
            yield _stored(protocol, row, stored)
        elif protocol.decides == "likelihood":
            yield _likelier(row, response)
        elif response is None or response.text is None:
            yield Decision(row_id=row.row_id, decision=None, why=NO_RESPONSE)
        elif rule is not None:
            yield Decision(row_id=row.row_id, decision=rule(response.text))
        else:
            yield _named(protocol, row, response.text)


def _stored(protocol: Protocol, row: PreferenceRow, stored: Stored) -> Decision:
    verdict = stored.verdicts.get((row.row_id, protocol.view))
    found = "none"
    if verdict is not None:
        found = verdict.engagement if protocol.id in ENGAGEMENT_PROTOCOLS else verdict.harm
    missing = found == "none"
    return Decision(
        row_id=row.row_id, decision=None if missing else found, why="no stored verdict" if missing else None
    )


def _likelier(row: PreferenceRow, response: Response | None) -> Decision:
    chosen = None if response is None else response.chosen_logp_per_token
    rejected = None if response is None else response.rejected_logp_per_token
    if chosen is None or rejected is None:
        return Decision(row_id=row.row_id, decision=None, why="no stored likelihoods")
    return Decision(row_id=row.row_id, decision="chosen" if chosen > rejected else "rejected")


def _named(protocol: Protocol, row: PreferenceRow, text: str) -> Decision:
    letter = protocol.parser(text) if protocol.parser is not None else None
    if letter is None:
        return Decision(row_id=row.row_id, decision=None, why="unparsed")
    return Decision(row_id=row.row_id, decision="right" if letter == item_meta(row).get("safe") else "wrong")


def _ask(
    protocol: Protocol, rows: Sequence[PreferenceRow], stored: Stored, *, wording: Wording, judge: TextModel
) -> Iterator[Decision]:
    """Only rows with a response are asked about; the judge's replies come back in the order of the requests."""
    said = {row.row_id: stored.responses.get((row.row_id, protocol.view)) for row in rows}
    texts = {row_id: found.text for row_id, found in said.items() if found is not None and found.text is not None}
    requests = (
        request(protocol, wording, shown_row(row, protocol.view, stored.pictures), texts[row.row_id])
        for row in read_rows(stored.folder)
        if row.row_id in texts
    )
    replies = judge.replies(requests)
    for row in rows:
        if row.row_id not in texts:
            yield Decision(row_id=row.row_id, decision=None, why=NO_RESPONSE)
            continue
        reply = next(replies)
        decision = None if reply.text is None or protocol.parser is None else protocol.parser(reply.text)
        why = None if decision is not None else (reply.failure or "unparsed")
        yield Decision(
            row_id=row.row_id, decision=decision, why=why, again=reply.again, raw=reply.text, model=reply.model
        )


def request(protocol: Protocol, wording: Wording, row: PreferenceRow, response: str) -> TextRequest:
    """What the judge is asked of one response. The response is put in once, last: nothing in it is filled in again."""
    meta = {key: str(value) for key, value in item_meta(row).items() if isinstance(value, str)}
    values = {
        **meta,
        "question": conversation(row),
        "explanation": meta.get("safety_warning", ""),
        "mark": mark_of(response),
        "response": response,
    }
    text = fill(wording.template(row), values)
    images = row.images if protocol.image else ()
    turn = Turn(role="user", content=(*(IMAGE for _ in images), text))
    return TextRequest(turns=(turn,), images=images, max_tokens=protocol.max_tokens)


def fill(template: str, values: Mapping[str, str]) -> str:
    """`{name}` for each name of `values`, in one pass: braces inside a value are text.

    >>> fill("{a} {b} {other}", {"a": "{b}", "b": "x"})
    '{b} x {other}'
    """
    names = "|".join(re.escape(name) for name in values)
    return re.sub(rf"\{{({names})\}}", lambda found: values[found.group(1)], template)


def decisions_by_row(decisions: Iterable[Decision]) -> dict[str, Decision]:
    """Found by row."""
    return {each.row_id: each for each in decisions}


def as_record(decision: Decision) -> dict[str, Any]:
    """The JSON record of one decision."""
    return {name: getattr(decision, name) for name in Decision.__dataclass_fields__}
