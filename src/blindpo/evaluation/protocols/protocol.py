"""What a scoring protocol is: prompt or rule, parser, denominator, rates, source; and its hash.

Where a judge decides, the protocol's prompt is a `JudgePrompt` like that of `evaluate --judge`: ours (`prompt`), or a
benchmark's wording with a parser. One function asks both (`judges/prompts.py`), and one record is stored (`Verdict`).

Two numbers "on the same benchmark" compare only where these are the same, so each number carries the protocol's id and
a hash of all of it: the fields below, the wording as it was read at run time, and the parser's own code. A prompt that
a benchmark ships is never copied into this project: `wording` reads it from the downloaded file. Where none could be
had the prompt is ours, and the id ends in `/ours`.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Final, Literal

from blindpo.datasets.download import Download
from blindpo.evaluation.judges.prompts import OurPrompt
from blindpo.evaluation.judges.verdict import Axis
from blindpo.evaluation.protocols.refusal_strings import StringRule
from blindpo.rows.row import Label, PreferenceRow
from blindpo.rows.view_names import View

MAX_MISSING: Final = 0.01
"""Above this share of items without a decision there is no rate, only its bounds."""
Decides = Literal["judge", "strings", "verdicts", "likelihood", "responses"]
ReplyParser = Callable[[str], str | None]
PromptTemplate = Callable[[PreferenceRow], str]
"""The prompt's template for one row, with {question}, {response} and others still in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One number: the share of its items whose decision counts, or the mean of other rates."""

    name: str
    counts: tuple[str, ...] = ()
    """Decisions that count as 1."""
    subsets: tuple[str, ...] = ()
    """Items whose `provenance.split` is one of these; empty: all."""
    labels: tuple[Label, ...] = ()
    categories: tuple[str, ...] = ()
    """Items whose first category begins with one of these; empty: all."""
    mean_of: tuple[str, ...] = ()
    axis: Axis | None = None
    """The axis of the verdict whose word counts, where it is not the protocol's."""

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

    template: PromptTemplate
    texts: tuple[str, ...]
    """Everything that was read, for the hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringProtocol:
    """One way to turn stored responses into numbers."""

    id: str
    benchmarks: tuple[str, ...]
    """The `provenance.source` of the rows that it is for; "*": any."""
    decides: Decides = "judge"
    """Who decides: a judge model, a list of strings, the stored verdicts, the stored likelihoods, or a parser of the
    response itself."""
    prompt: OurPrompt | None = None
    """What the judge is asked, where that is our prompt; the verdict is read on `axis`."""
    axis: Axis | None = None
    """The axis of the verdict, new or stored, whose word is the decision; None: the parser's word is."""
    wording: Callable[[Download], Wording] | None = None
    """What the judge is asked, where that is a wording of the benchmark's, read by `parser`."""
    rule: Callable[[Download], StringRule] | None = None
    parser: ReplyParser | None = None
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


def protocol_hash(protocol: ScoringProtocol, texts: tuple[str, ...]) -> str:
    """Hash of the protocol with the texts that were read for it, in hex."""
    plain: dict[str, object] = {}
    for field in fields(protocol):
        value = getattr(protocol, field.name)
        if field.name in _LATER_FIELDS and value is None:
            continue
        if field.name == "rates":
            value = [_rate_fields(rate) for rate in value]
        elif field.name == "parser":
            value = None if value is None else parser_code(value)
        elif field.name == "prompt":
            value = value.texts
        elif callable(value):
            value = value.__name__
        plain[field.name] = value
    return sha256(json.dumps([plain, list(texts)], sort_keys=True).encode()).hexdigest()


_LATER_FIELDS: Final = ("prompt", "axis")
"""Left out of the hash where they are not used, so that protocols that are older than they are keep theirs."""


def _rate_fields(rate: Rate) -> dict[str, Any]:
    values = {name: getattr(rate, name) for name in Rate.__dataclass_fields__}
    return {name: value for name, value in values.items() if name not in _LATER_FIELDS or value is not None}


def parser_code(function: Callable[..., Any]) -> str:
    """The function's code without its docstring, comments and layout, its locals numbered.

    What a parser does is part of a protocol; how its source reads is not.

    >>> def first(text):
    ...     "One way to write it."
    ...     word = text[0]
    ...     return word
    >>> parser_code(first)
    'def parser(v0):\\n    v1 = v0[0]\\n    return v1'
    """
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{function!r} is no plain function")
    names = {name: f"v{place}" for place, name in enumerate(function.__code__.co_varnames)}
    for node in ast.walk(definition):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg, node.annotation = names.get(node.arg, node.arg), None
    definition.name, definition.returns = "parser", None
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:]
    return ast.unparse(definition)
