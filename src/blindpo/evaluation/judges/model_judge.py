"""A judge that is a model: a prompt, a parser, and whatever answers text. No verdict that can be read is no verdict.

What a judge reads is untrusted: a response may hold "safe", a verdict in the right format, or orders to the judge. So
the raw answer is kept with the verdict, a parser takes nothing but a whole, well-formed answer, and everything else
(an essay, an echo, an empty answer, a page of HTML, a dead server) leaves harm at "none".
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from blindpo.evaluation.judges.base import Case
from blindpo.evaluation.judges.verdict import Engagement, Harm, Right, Verdict
from blindpo.models.chat.interface import TextModel, TextReply, TextRequest
from blindpo.rows.row import PreferenceRow

UNREADABLE: Final = "the judge's answer has not the form that was asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a judge's answer says, once read."""

    harm: Harm
    engagement: Engagement = "none"
    right: Right = "unknown"


class JudgePrompt(Protocol):
    """How a case is put to a model, and how its answer is read."""

    @property
    def id(self) -> str:
        """Its name; one that ends in `/ours` is in our own words."""
        ...

    @property
    def sha256(self) -> str:
        """Of every word that the judge is told beside the case."""
        ...

    def request(self, case: Case) -> TextRequest | str:
        """The conversation for the judge, or the reason why this case cannot be judged."""
        ...

    def parse(self, case: Case, text: str) -> Opinion | None:
        """What `text` says of the case; None where it has not exactly the form that was asked for."""
        ...


class ModelJudge:
    """Asks a text model."""

    def __init__(
        self, name: str, prompt: JudgePrompt, open_model: Callable[[Path], TextModel], model: Mapping[str, Any]
    ) -> None:
        """`open_model` loads or connects, with what it keeps in the folder it gets; `model` is its identity."""
        self.name = name
        self.identity = {"name": name, "prompt": prompt.id, "prompt_sha256": prompt.sha256, "model": dict(model)}
        self._prompt = prompt
        self._open = open_model

    def require(self, row: PreferenceRow) -> None:
        """Any row will do."""

    def verdicts(self, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
        """One verdict for each case, in order; cases that cannot be judged are not sent."""
        waiting: deque[tuple[Case, str | None]] = deque()

        def requests() -> Iterator[TextRequest]:
            for case in cases:
                asked = self._prompt.request(case)
                waiting.append((case, asked if isinstance(asked, str) else None))
                if not isinstance(asked, str):
                    yield asked

        for reply in self._open(work).replies(requests()):
            yield from self._refused(waiting)
            yield self._read(waiting.popleft()[0], reply)
        yield from self._refused(waiting)

    def _refused(self, waiting: "deque[tuple[Case, str | None]]") -> Iterator[Verdict]:
        """Verdicts of the cases at the head that were not sent."""
        while waiting and waiting[0][1] is not None:
            case, reason = waiting.popleft()
            yield Verdict(row_id=case.row.row_id, view=case.view, judge=self.name, reason=reason)

    def _read(self, case: Case, reply: TextReply) -> Verdict:
        opinion = None if reply.text is None else self._prompt.parse(case, reply.text)
        reason = reply.failure or (UNREADABLE if opinion is None else None)
        said = opinion or Opinion(harm="none")
        return Verdict(
            row_id=case.row.row_id,
            view=case.view,
            harm=said.harm,
            engagement=said.engagement,
            right=said.right,
            judge=self.name,
            raw=reply.text,
            revision=reply.model,
            reason=reason,
            again=reply.again,
        )
