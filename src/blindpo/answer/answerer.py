"""The one interface of whoever answers: a local model, a chat server, a file of recorded answers.

    answerer = find_answerer(config, data, out, model="chat:NAME")
    answerer.respond([Ask(row=row, view="as_is", shown=row)])        # one Response for each, in order

Which view of a row is shown is decided before: an answerer sees `shown` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import Response
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import WORK, read_rows
from blindpo.rows.view_names import View

CHAT: Final = "chat:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One response that is wanted."""

    row: PreferenceRow
    view: View
    shown: PreferenceRow | str
    """The row as the model sees it: its prompt and images; or the reason why there is no such view of it."""
    draw: int = 0
    """Which of the responses to this view of the row."""
    sample: int = 0
    """With the seed and the row's id it fixes a sampled response."""


class Answerer(Protocol):
    """Whoever answers. A local one can be sent to another process, and loads its model there."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells its answers from those of another one."""
        ...

    @property
    def revision(self) -> str | None:
        """Of a model on the hub."""
        ...

    @property
    def drawn(self) -> GenerationConfig | None:
        """How its answers are drawn; None where nobody knows."""
        ...

    def check(self, row: PreferenceRow) -> None:
        """Raise RowError where `row`, images included, cannot be put to this answerer at all."""
        ...

    def respond(self, asks: Sequence[Ask]) -> list[Response]:
        """One response for each, in order. Raises UnansweredError where a server did not answer all."""
        ...

    def logp_in_sight(self, pairs: Sequence[tuple[PreferenceRow, Response]]) -> tuple[float, int] | None:
        """Summed log-probability of the responses when the rows' images are shown, and the number of their tokens.

        None where likelihoods are not to be had: from a server, from a file.
        """
        ...


def find_answerer(
    config: AnswerConfig,
    data: Path,
    out: Path,
    *,
    model: str | None = None,
    responses: Path | None = None,
    view: View = "as_is",
) -> Answerer:
    """Whom the words of a command line name: one of `model` and `responses`. Raises UsageError.

    `view` is that of recorded responses that name none.
    """
    if responses is not None:
        from blindpo.answer.from_file import RecordedAnswers

        config.require_options("recorded")
        return RecordedAnswers(responses, [row.row_id for row in read_rows(data)], view=view)
    if str(model).startswith(CHAT):
        from blindpo.answer.chat import ChatAnswers

        return ChatAnswers(config, str(model).removeprefix(CHAT), work=out / WORK)
    config.require_options("local")
    source = resolve_model(str(model))
    from blindpo.answer.local import LocalAnswers  # torch: once the words are known to be right

    return LocalAnswers(source, config)
