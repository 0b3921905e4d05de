"""The one interface of answerers: a local model, a chat server, a file of recorded answers.

    answerer = find_answerer(config, data, out, model="chat:NAME")
    answerer.respond([Ask(row=row, view="as_is", shown=row)])        # one Response for each, in order

The caller decides which view of a row is shown: an answerer sees only `shown`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import Response
from blindpo.errors import ConfigError
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.source import ModelSource, resolve_model
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import WORK, read_rows
from blindpo.rows.view_names import View

CHAT: Final = "chat:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One wanted response."""

    row: PreferenceRow
    view: View
    shown: PreferenceRow | str
    """The row as the model sees it (prompt and images), or the reason why it has no such view."""
    draw: int = 0
    """The number of the response to this view of the row."""
    sample: int = 0
    """Determines a sampled response, together with the seed and the row's id."""


class Answerer(Protocol):
    """Answers requests. A local one can be sent to another process, and loads its model there."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    @property
    def fingerprint(self) -> str:
        """Identifies whose answers they are; different for every answerer."""

    @property
    def revision(self) -> str | None:
        """The revision of a model on the hub."""

    @property
    def source(self) -> ModelSource | None:
        """The files of a local model; None for any other answerer."""

    @property
    def views(self) -> Collection[str]:
        """The views that it can answer at all."""

    @property
    def drawn(self) -> GenerationConfig | None:
        """How its answers are drawn; None if unknown."""

    def check(self, row: PreferenceRow) -> None:
        """Raise RowError if `row`, with its images, cannot be put to this answerer at all."""

    def respond(self, asks: Sequence[Ask]) -> list[Response]:
        """Return one response per ask, in order. Raises UnansweredError if a server did not answer all."""

    def logp_in_sight(self, pairs: Sequence[tuple[PreferenceRow, Response]]) -> tuple[float, int] | None:
        """Return the summed log-probability of the responses when the rows' images are shown, and their tokens.

        None if there are no likelihoods: from a server, from a file.
        """


def find_answerer(
    config: AnswerConfig,
    data: Path,
    out: Path,
    *,
    model: str | None = None,
    responses: Path | None = None,
    view: View = "as_is",
    likelihoods: bool = False,
) -> Answerer:
    """Return the answerer for a command line's `model` or `responses`. Raises UsageError.

    `view` is the view of recorded responses that name none; `likelihoods` asks a local model to score each row's pair.
    """
    if responses is not None:
        from blindpo.answer.from_file import RecordedAnswers

        config.require_options("recorded")
        return RecordedAnswers(responses, [row.row_id for row in read_rows(data)], view=view)
    if str(model).startswith(CHAT):
        from blindpo.answer.chat import ChatAnswers

        if likelihoods:
            raise ConfigError("a chat server gives no likelihoods of given responses; add --likelihoods false")
        return ChatAnswers(config, str(model).removeprefix(CHAT), work=out / WORK)
    config.require_options("local")
    source = resolve_model(str(model))
    from blindpo.answer.local import LocalAnswers  # imports torch, so only once the arguments are checked

    return LocalAnswers(source, config, likelihoods=likelihoods)
