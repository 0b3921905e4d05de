"""A model under test behind a chat server: rows and views as conversations with images, replies as responses."""

from collections.abc import Sequence
from typing import Final

from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import Response, View
from blindpo.answer.shards import Respond
from blindpo.answer.views import VIEWS, Pictures, has_view, shown_row
from blindpo.errors import ConfigError, RowError, UnansweredError
from blindpo.models.chat.config import ChatConfig
from blindpo.models.chat.interface import TextModel, TextReply, TextRequest
from blindpo.models.thoughts import split_thought
from blindpo.rows.row import PreferenceRow

CUT: Final = "length"
"""What a server says of an answer that stopped at its limit."""
BLANK: Final = "blank response"


def chat_config(config: AnswerConfig, model: str) -> ChatConfig:
    """How the server is asked. Raises ConfigError for an option that a chat server has no way to follow."""
    if config.top_k:
        raise ConfigError("top_k has no effect with a chat server; leave it out")
    return ChatConfig(
        model=model,
        server=config.model_server,
        temperature=config.temperature,
        top_p=None if config.top_p == 1.0 else config.top_p,
        seed=config.seed if config.temperature > 0 else None,
    )


def remote_respond(model: TextModel, *, max_new_tokens: int, views: Sequence[str], pictures: Pictures) -> Respond:
    """Answers rows by asking `model`; likelihoods are not to be had from a chat server."""
    asked_views = [view for view in VIEWS if view in views]

    def respond(rows: Sequence[PreferenceRow]) -> list[Response]:
        wanted = [(row, view) for row in rows for view in asked_views if has_view(row, view)]
        made = [_request(row, view, pictures, max_new_tokens) for row, view in wanted]
        replies = model.replies([request for request in made if isinstance(request, TextRequest)])
        found = [
            _refused(row, view, request) if isinstance(request, str) else _response(row, view, next(replies))
            for (row, view), request in zip(wanted, made, strict=True)
        ]
        missing = [each for each in found if isinstance(each, str)]
        if missing:
            raise UnansweredError(f"{len(missing)} of {len(made)} requests had no answer, the first since {missing[0]}")
        return [each for each in found if isinstance(each, Response)]

    return respond


def _request(row: PreferenceRow, view: View, pictures: Pictures, max_tokens: int) -> TextRequest | str:
    """The conversation, or the reason why there is none."""
    try:
        shown = shown_row(row, view, pictures)
        return TextRequest(turns=shown.prompt, images=shown.images, max_tokens=max_tokens, draw=VIEWS.index(view))
    except RowError as error:
        return error.reason


def _refused(row: PreferenceRow, view: View, reason: str) -> Response:
    return Response(row_id=row.row_id, view=view, text=None, reason=reason)


def _response(row: PreferenceRow, view: View, reply: TextReply) -> Response | str:
    """What the row's answer is; the reason alone where asking again may help."""
    if reply.text is None and reply.again:
        return reply.failure or "there was no reply"
    thought, answer = split_thought(reply.text or "")
    blank = reply.text is not None and not answer.strip()
    reason = BLANK if blank else None if reply.text is not None else reply.failure or "there was no reply"
    return Response(
        row_id=row.row_id,
        view=view,
        text=None if reason is not None else answer,
        cut=reply.finish == CUT,
        reason=reason,
        thought=thought or None,
    )
