"""What a judge is, and what it is given: one response to one view of one row.

A judge by rules answers each case on its own (`verdict`); a judge that is a model answers many at once, keeps its
replies in `work`, and goes on from there when the same command runs again (`verdicts`). `verdicts_of` serves both.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from blindpo.answer.response import Response
from blindpo.answer.views import shown_row
from blindpo.evaluation.judges.verdict import NO_RESPONSE, Verdict
from blindpo.jobs.progress import progress
from blindpo.rows.row import ImageRef, PreferenceRow, Turn
from blindpo.rows.shards import read_rows
from blindpo.rows.view_names import DEFAULT_VIEWS, View
from blindpo.rows.views import OtherImages


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One response that waits for its verdict."""

    row: PreferenceRow
    """The row as the view shows it; its `text_prompt` is the textual twin."""
    view: View
    text: str

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that the model under test was shown."""
        return self.row.text_prompt or () if self.view == "text" else self.row.prompt

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """The images that the model under test was shown."""
        return () if self.view == "text" else self.row.images


@dataclass(frozen=True, slots=True)
class Cases:
    """The responses that have a text, with their rows; may be read again and again, one row in memory at a time."""

    rows: Path
    responses: Sequence[Response]
    images: OtherImages
    """The images that were shown in place of a row's own."""

    def __iter__(self) -> Iterator[Case]:
        """Iterate in the order of the rows. A judge gets the row as the view shows it, always with its textual twin."""
        by_row: dict[str, list[Response]] = {}
        for response in self.responses:
            if response.text is not None:
                by_row.setdefault(response.row_id, []).append(response)
        for row in read_rows(self.rows):
            for response in by_row.get(row.row_id, []):
                shown = row if response.view in DEFAULT_VIEWS else shown_row(row, response.view, self.images)
                yield Case(row=shown, view=response.view, text=str(response.text))


class Judge(Protocol):
    """Reads a row and a response to one view of it; knows nothing of the model that answered."""

    @property
    def name(self) -> str:
        """The word of the command line."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that changes a verdict, as JSON: prompt hash, model and revision."""

    def require(self, row: PreferenceRow) -> None:
        """Raise SourceError where `row` lacks what this judge reads; asked of all rows before a model is loaded."""


@runtime_checkable
class RuleJudge(Judge, Protocol):
    """A judge that needs nothing but the case."""

    def verdict(self, row: PreferenceRow, view: View, text: str) -> Verdict:
        """What the response `text` does."""


@runtime_checkable
class BatchJudge(Judge, Protocol):
    """A judge that is asked for many cases at once."""

    def verdicts(self, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
        """One verdict for each case, in order; `cases` may be read more than once."""


def verdicts_of(judge: Judge, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
    """One verdict for each case, in order, by either kind of judge."""
    if isinstance(judge, BatchJudge):
        yield from judge.verdicts(cases, work)
    elif isinstance(judge, RuleJudge):
        yield from (judge.verdict(case.row, case.view, case.text) for case in cases)
    else:
        raise TypeError(f"{judge.name} is no judge: it has neither verdict() nor verdicts()")


def judge_responses(judge: Judge, cases: Cases, work: Path) -> list[Verdict]:
    """One verdict per response, in the order of the responses; where there is no text there is no verdict."""
    verdicts: dict[tuple[str, View], Verdict] = {}
    with progress(sum(response.text is not None for response in cases.responses), "judge") as bar:
        for verdict in verdicts_of(judge, cases, work):
            verdicts[verdict.row_id, verdict.view] = verdict
            bar.update(1)
    return [
        verdicts[response.row_id, response.view]
        if response.text is not None
        else Verdict(row_id=response.row_id, view=response.view, judge=judge.name, reason=NO_RESPONSE)
        for response in cases.responses
    ]
