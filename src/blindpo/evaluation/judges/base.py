"""What a judge is, and what it is given: one response to one view of one row.

A judge by rules answers each case on its own (`verdict`); a judge that is a model answers many at once, keeps what it
was told in `work`, and goes on from there when the same command runs again (`verdicts`). `judged` serves both.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from blindpo.answer.response import View
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.rows.row import PreferenceRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One response that waits for its verdict."""

    row: PreferenceRow
    """The row as the view shows it; the textual twin stands in it as `text_prompt`."""
    view: View
    text: str


class Judge(Protocol):
    """Reads a row and a response to one view of it; knows nothing of the model that answered."""

    @property
    def name(self) -> str:
        """The word of the command line."""
        ...

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that changes a verdict, as JSON: prompt hash, model and revision."""
        ...

    def require(self, row: PreferenceRow) -> None:
        """Raise SourceError where `row` lacks what this judge reads; asked of all rows before a model is loaded."""
        ...


@runtime_checkable
class RuleJudge(Judge, Protocol):
    """A judge that needs nothing but the case."""

    def verdict(self, row: PreferenceRow, view: View, text: str) -> Verdict:
        """What the response `text` does."""
        ...


@runtime_checkable
class BatchJudge(Judge, Protocol):
    """A judge that is asked for many cases at once."""

    def verdicts(self, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
        """One verdict for each case, in order; `cases` may be read more than once."""
        ...


def judged(judge: Judge, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
    """One verdict for each case, in order, by either kind of judge."""
    if isinstance(judge, BatchJudge):
        yield from judge.verdicts(cases, work)
    elif isinstance(judge, RuleJudge):
        yield from (judge.verdict(case.row, case.view, case.text) for case in cases)
    else:
        raise TypeError(f"{judge.name} is no judge: it has neither verdict() nor verdicts()")
