"""What a protocol is: prompt or rule, parser, denominator, rates, source; and its hash.

Two numbers "on the same benchmark" compare only where these are the same, so each number carries the protocol's id and
a hash of all of it: the fields below, the wording as it was read at run time, and the parser's own code. A prompt that
a benchmark ships is never copied into this project: `wording` reads it from the downloaded file. Where none could be
had the wording is ours, and the id ends in `/ours`.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Final, Literal

from blindpo.answer.response import View
from blindpo.datasets.download import Download
from blindpo.evaluation.protocols.refusal_strings import StringRule
from blindpo.rows.row import Label, PreferenceRow

MAX_MISSING: Final = 0.01
"""Above this share of items without a decision there is no rate, only its bounds."""
Decides = Literal["judge", "strings", "verdicts", "likelihood", "responses"]
Parser = Callable[[str], str | None]
Template = Callable[[PreferenceRow], str]
"""The prompt's template for one row, with {question}, {response} and others still in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One number: the share of the items that are in it whose decision counts; or the mean of other rates."""

    name: str
    counts: tuple[str, ...] = ()
    """Decisions that count as 1."""
    subsets: tuple[str, ...] = ()
    """Items whose `provenance.split` is one of these; empty: all."""
    labels: tuple[Label, ...] = ()
    categories: tuple[str, ...] = ()
    """Items whose first category begins with one of these; empty: all."""
    mean_of: tuple[str, ...] = ()

    def holds(self, row: PreferenceRow) -> bool:
        """Whether the row's item is in this rate."""
        first = row.categories[0] if row.categories else ""
        return (
            (not self.subsets or row.provenance.split in self.subsets)
            and (not self.labels or row.label in self.labels)
            and (not self.categories or first.startswith(self.categories))
        )


@dataclass(frozen=True, slots=True)
class Wording:
    """The exact texts of a protocol as they were read, and how they make a prompt."""

    template: Template
    texts: tuple[str, ...]
    """Everything that was read, for the hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One way to turn stored responses into numbers."""

    id: str
    benchmarks: tuple[str, ...]
    """The `provenance.source` of the rows that it is for; "*": any."""
    decides: Decides
    """Who decides: a judge model, a list of strings, the stored verdicts, the stored likelihoods, or a parser of the
    response itself."""
    wording: Callable[[Download], Wording] | None = None
    rule: Callable[[Download], StringRule] | None = None
    parser: Parser | None = None
    image: bool = False
    """Whether the judge sees the row's images."""
    unparsed: Literal["missing", "dropped"] = "missing"
    """What an answer of the judge without a decision is: missing (bounds tell what it may hide), or dropped from the
    denominator, as a published protocol did. A judge that gave no answer is always missing."""
    rates: tuple[Rate, ...]
    view: View = "as_is"
    given_refused: bool = False
    """Only items whose answer under `as_is` was a refusal."""
    needs_prefix: bool = False
    """Only for rows that were asked with the benchmark's own instruction before the query."""
    max_tokens: int = 512
    source: str
    notes: tuple[str, ...] = ()
    unverified: str | None = None
    """What of it could not be read in a source."""

    @property
    def shipped(self) -> bool:
        """Whether it needs files that a benchmark ships."""
        return (self.wording is not None or self.rule is not None) and not self.id.endswith("/ours")

    def fits(self, row: PreferenceRow) -> bool:
        """Whether it is for rows of this source."""
        return "*" in self.benchmarks or row.provenance.source in self.benchmarks


def protocol_hash(protocol: Protocol, texts: tuple[str, ...]) -> str:
    """Hash of the protocol with the texts that were read for it, in hex."""
    plain: dict[str, object] = {}
    for field in fields(protocol):
        value = getattr(protocol, field.name)
        if field.name == "rates":
            value = [{name: getattr(rate, name) for name in Rate.__dataclass_fields__} for rate in value]
        elif callable(value):
            value = inspect.getsource(value) if field.name == "parser" else value.__name__
        plain[field.name] = value
    return sha256(json.dumps([plain, list(texts)], sort_keys=True).encode()).hexdigest()
