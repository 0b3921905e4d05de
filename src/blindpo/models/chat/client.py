"""A chat model behind any OpenAI-compatible server: several turns, images, many requests in flight, no reply lost.

    config = ChatConfig(model="NAME", server=ServerConfig(base_url="http://127.0.0.1:8000/v1"))
    model = ChatModel(config, store=ReplyStore(folder / "replies.jsonl"))
    for request, reply in zip(requests, model.replies(requests)): ...

The `openai` package (extra `blindpo[chat]`) does the protocol and the retries: timeouts, lost connections, 408, 409,
429 and 5xx are tried again after growing pauses, or the pause that Retry-After names. Its parsing is bypassed, since it
accepts a page of HTML as an answer: a body counts only if it is a chat completion with text. A permanent failure is a
reply without text; a passing one is not kept, so the same call asks only for what is missing. The key comes from the
environment, goes into the request header and nowhere else; no text of a server or a conversation goes into an error
message.
"""

import base64
import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import urlsplit

from blindpo.errors import ImageError, ModelError
from blindpo.images.decode import decode_image
from blindpo.models.chat.config import ChatConfig
from blindpo.models.chat.in_flight import Budget, Flight
from blindpo.models.chat.interface import TextReply, TextRequest, request_key
from blindpo.models.chat.replies import ReplyStore
from blindpo.rows.row import ImageRef, Turn

OPENAI: Final = "https://api.openai.com/v1"
USERS_MISTAKES: Final = {
    401: "refuses the key (HTTP 401)",
    403: "forbids the request (HTTP 403)",
    404: "knows no such model or path (HTTP 404)",
}
"""Statuses that no other request can mend: the run stops with this message."""
REQUESTS_OWN: Final = (400, 413, 415, 422)
"""Statuses that refuse only this request, for good: a filter, its length, an unreadable image."""
MEDIA: Final = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"))


class ChatModel:
    """A text model over HTTP; one instance may be used repeatedly, by one thread at a time."""

    def __init__(self, config: ChatConfig, *, store: ReplyStore | None = None) -> None:
        """Raises ModelError if the package, the address or the key is missing."""
        self.config = config
        self.name = f"chat:{config.model}"
        self.budget = Budget(config.server.budget_tokens)
        self._store = store
        self._opened: Any = None
        self.identity: dict[str, Any] = {**config.answer_keys(), "server": _server(config)}

    def _client(self) -> Any:
        """Return the client, opened at the first request, since loading the certificate authorities is slow."""
        import openai

        if self._opened is None:
            self._opened = openai.OpenAI(
                api_key=os.environ.get(self.config.server.key_env) or "none",  # private servers need none
                base_url=self.identity["server"],
                timeout=self.config.server.timeout_seconds,
                max_retries=self.config.server.retries,
            )
        return self._opened

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """Yield one reply per request, in order. Raises BudgetError when the budget is spent, and ModelError."""
        self._client()
        flight = Flight(self._ask, self.config.server.concurrency, give_up_after=self.config.server.give_up_after)
        try:
            yield from flight.replies(requests, known=self._known)
        except KeyboardInterrupt:
            self.close()  # else the threads in flight would keep the process alive
            raise

    def _known(self, request: TextRequest) -> TextReply | None:
        return None if self._store is None else self._store.get(request_key(self.identity, request))

    def _ask(self, request: TextRequest) -> tuple[TextReply, bool]:
        """Return the reply, and whether the server seems down: it sent no body at all."""
        try:
            body = self._body(request)
        except ImageError as error:
            return TextReply(text=None, failure=error.reason), False
        with self.budget.holding(request.max_tokens) as paid:
            reply, raw = self._send(body, prompt_characters=sum(len(turn.text) for turn in request.turns))
            paid.append(reply.tokens)
        if self._store is not None and not reply.again:
            self._store.put(request_key(self.identity, request), reply, raw=raw)
        return reply, reply.again and not raw

    def _send(self, body: dict[str, Any], *, prompt_characters: int) -> tuple[TextReply, str]:
        import openai

        try:
            answer = self._client().chat.completions.with_raw_response.create(**body)
        except openai.APIStatusError as error:
            return self._refused(error.status_code, error.code), ""
        except openai.APITimeoutError:
            return TextReply(text=None, failure="the server did not answer in time", again=True), ""
        except openai.APIConnectionError:
            return TextReply(text=None, failure="the server cannot be reached", again=True), ""
        try:
            raw = answer.http_response.content.decode("utf-8")
        except UnicodeDecodeError:
            raw = "(no UTF-8)"
        return read_completion(raw, prompt_characters=prompt_characters), raw

    def _refused(self, status: int, code: object) -> TextReply:
        if status in USERS_MISTAKES:
            raise ModelError(
                f"{self.name}: the server {USERS_MISTAKES[status]}; check the model's name, base_url, "
                f"and the key in ${self.config.server.key_env}"
            )
        word = f", {code}" if isinstance(code, str) and re.fullmatch(r"[\w.-]{1,60}", code) else ""
        if status in REQUESTS_OWN:
            return TextReply(text=None, failure=f"the server refused this request (HTTP {status}{word})")
        return TextReply(text=None, failure=f"the server failed (HTTP {status}{word})", again=True)

    def _body(self, request: TextRequest) -> dict[str, Any]:
        images = iter(request.images)
        config = self.config
        body: dict[str, Any] = {
            "model": config.model,
            "messages": [_message(turn, images) for turn in request.turns],
            config.server.limit_field: request.max_tokens,
        }
        if config.temperature is not None:
            body["temperature"] = config.temperature
        if config.top_p is not None:
            body["top_p"] = config.top_p
        if config.seed is not None:
            body["seed"] = config.seed + request.draw
        return {**body, "extra_body": dict(config.server.extra)} if config.server.extra else body

    def close(self) -> None:
        """Close the connections; the model cannot be asked again."""
        if self._opened is not None:
            self._opened.close()


def _server(config: ChatConfig) -> str:
    """Return the server's address. Raises ModelError if the package, the address or the key is missing."""
    if find_spec("openai") is None:
        raise ModelError("a chat server needs the package openai; pip install 'blindpo[chat]'")
    base_url = config.server.base_url or os.environ.get("OPENAI_BASE_URL") or None
    if base_url is None:
        if not os.environ.get(config.server.key_env):
            raise ModelError(
                f"chat:{config.model}: ${config.server.key_env} holds no key; set it, or give the base_url of your own "
                "server"
            )
        return OPENAI
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https"):
        raise ModelError("base_url must begin with http:// or https://, such as http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query:
        raise ModelError(
            f"base_url holds a user, a password or a query; put the key into ${config.server.key_env} instead"
        )
    return base_url.rstrip("/")


def _message(turn: Turn, images: Iterator[ImageRef]) -> dict[str, Any]:
    if not turn.num_images:
        return {"role": turn.role, "content": turn.text}  # servers accept lists of parts only from the user
    parts: list[dict[str, Any]] = []
    for part in turn.content:
        if isinstance(part, str):
            parts.append({"type": "text", "text": part})
        else:
            parts.append({"type": "image_url", "image_url": {"url": data_url(next(images).data)}})
    return {"role": turn.role, "content": parts}


def data_url(data: bytes) -> str:
    """Return an image as a data URL: PNG, JPEG and GIF as they are, anything else as PNG. Raises ImageError."""
    decode_image(data)  # refuse broken or oversized images here rather than at the server
    media = next((name for magic, name in MEDIA if data.startswith(magic)), None)
    if media is None:
        buffer = io.BytesIO()
        decode_image(data).save(buffer, format="PNG")
        data, media = buffer.getvalue(), "png"
    return f"data:image/{media};base64,{base64.b64encode(data).decode('ascii')}"


def read_completion(raw: str, *, prompt_characters: int = 0) -> TextReply:
    """Return the reply in a response body; a failure if it is not a chat completion, or holds no text.

    Text that a filter or the length limit suppressed stays missing, however often one asks.
    """
    try:
        body = json.loads(raw)
        choice = body["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text = message.get("content")
    except (ValueError, TypeError, LookupError, AttributeError):
        return TextReply(text=None, failure="the server's answer is no chat completion", again=True)
    tokens = _tokens(body, prompt_characters + len(text or ""))
    marks = [mark for mark in (body.get("model"), body.get("system_fingerprint")) if isinstance(mark, str)]
    model = "@".join(marks) or None
    finish = finish if isinstance(finish, str) else None
    if isinstance(text, str) and text.strip():
        return TextReply(text=text, finish=finish, model=model, tokens=tokens)
    final = finish in ("length", "content_filter") or bool(message.get("refusal"))
    failure = f"the server's answer is empty (finish: {finish or 'unknown'})"
    return TextReply(text=None, failure=failure, again=not final, finish=finish, model=model, tokens=tokens)


def _tokens(body: dict[str, Any], characters: int) -> int:
    usage = body.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and total > 0 else -(-characters // 4)
