"""Answers from a chat server: a shown row becomes a conversation with images, a reply becomes a response."""

import json
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from blindpo.answer.answerer import Ask
from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import EMPTY, Response
from blindpo.errors import ConfigError, UnansweredError
from blindpo.images.decode import decode_image
from blindpo.models.chat.client import ChatModel
from blindpo.models.chat.config import ChatConfig
from blindpo.models.chat.interface import TextReply, TextRequest
from blindpo.models.chat.replies import ReplyStore
from blindpo.models.thoughts import split_thought
from blindpo.rows.row import PreferenceRow
from blindpo.rows.view_names import VIEWS

REPLIES_FILE: Final = "replies.jsonl"
CUT: Final = "length"
"""A server's finish reason for an answer that stopped at the length limit."""


class ChatAnswers:
    """Asks a model behind an OpenAI-compatible server; replies are kept in `work`, and never asked for again."""

    revision: str | None = None
    source = None
    views = VIEWS

    def __init__(self, config: AnswerConfig, model: str, *, work: Path) -> None:
        """Raises ConfigError for an option that a chat server cannot follow, and ModelError."""
        self._chat = _chat_config(config, model)
        self.drawn = config
        self._work = work
        model_of_server = ChatModel(self._chat)
        self.name = model_of_server.name
        self.fingerprint = sha256(json.dumps(dict(model_of_server.identity), sort_keys=True).encode()).hexdigest()

    @cached_property
    def _model(self) -> ChatModel:
        """The model, opened at the first request: until then the store's folder may belong to another run."""
        return ChatModel(self._chat, store=ReplyStore(self._work / REPLIES_FILE))

    def check(self, row: PreferenceRow) -> None:
        """Raise RowError if an image cannot be read."""
        for image in row.images:
            decode_image(image.data)

    def respond(self, asks: Sequence[Ask]) -> list[Response]:
        """Return one response per ask, in order. Raises UnansweredError if the server did not answer all."""
        shown = [(ask, ask.shown) for ask in asks if not isinstance(ask.shown, str)]
        replies = self._model.replies([self._request(ask, row) for ask, row in shown])
        answered = {id(ask): reply for (ask, _), reply in zip(shown, replies, strict=True)}
        missing = [reply.failure for reply in answered.values() if reply.text is None and reply.again]
        if missing:
            reason = missing[0] or "there was no reply"
            raise UnansweredError(f"{len(missing)} of {len(asks)} requests had no answer, the first since {reason}")
        return [_response(ask, answered.get(id(ask))) for ask in asks]

    def _request(self, ask: Ask, shown: PreferenceRow) -> TextRequest:
        return TextRequest(
            turns=shown.prompt, images=shown.images, max_tokens=self.drawn.max_new_tokens, draw=ask.sample
        )

    def logp_in_sight(self, pairs: object) -> None:
        """Return None: a chat server gives no likelihoods of given responses."""


def _chat_config(config: AnswerConfig, model: str) -> ChatConfig:
    if config.top_k:
        raise ConfigError("top_k has no effect with a chat server; leave it out")
    return ChatConfig(
        model=model,
        server=config.model_server,
        temperature=config.temperature,
        top_p=None if config.top_p == 1.0 else config.top_p,
        seed=config.seed if config.temperature > 0 else None,
    )


def _response(ask: Ask, reply: TextReply | None) -> Response:
    """Return the response to store; without a reply it holds the reason why nothing could be asked."""
    thought, text = split_thought("" if reply is None else reply.text or "")
    reason = None
    if reply is None:
        reason = str(ask.shown)
    elif reply.text is None:
        reason = reply.failure or "there was no reply"
    elif not text.strip():
        reason = EMPTY
    return Response(
        row_id=ask.row.row_id,
        view=ask.view,
        draw=ask.draw,
        text=text if reason is None else None,
        cut=reply is not None and reply.finish == CUT,
        reason=reason,
        thought=thought or None,
        revision=None if reply is None else reply.model,
    )
