"""The one interface of everything that answers a conversation with text: a chat server, a local model, a recording.

    requests = [TextRequest(turns=(Turn(role="user", content=("Name a colour.",)),), max_tokens=8)]
    for reply in model.replies(requests):            # in order, one per request, lazily
        reply.text                                   # None if there is none: `failure` says why

`client.py` serves it over any OpenAI-compatible server, `local.py` with a model in this process,
`recorded.py` from a recording. A failed request is a reply without text, never an exception and never an empty
answer: callers must decide what a missing answer means, and `again` tells them whether asking again may help.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable

from blindpo.rows.row import IMAGE, ImageRef, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """A conversation waiting for its next turn. Raises ValueError if image slots and images do not match."""

    turns: tuple[Turn, ...]
    """The last turn is the user's; the first may be the system's."""
    images: tuple[ImageRef, ...] = ()
    """One image per slot of the turns, in order."""
    max_tokens: int = 256
    """The longest answer, in tokens."""
    draw: int = 0
    """Number of the sample of the same conversation: part of the key, and of the seed if there is one."""

    def __post_init__(self) -> None:
        slots = sum(turn.num_images for turn in self.turns)
        if slots != len(self.images):
            raise ValueError(f"the turns have {slots} image slots, and there are {len(self.images)} images")
        if not self.turns or self.max_tokens < 1:
            raise ValueError("a request needs at least one turn, and max_tokens of 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReply:
    """The answer to one request, or its failure."""

    text: str | None
    """The raw text, unchanged down to the white space; None if there is none."""
    failure: str | None = None
    """Why there is no text; holds nothing of the conversation."""
    again: bool = False
    """Whether the failure may pass (server down, too busy, garbled), so that it is not kept and a rerun asks again."""
    finish: str | None = None
    """What ended the answer, in the server's words: stop, length, content_filter."""
    model: str | None = None
    """The model that answered according to the server, with its fingerprint if given: the nearest to a revision."""
    tokens: int = 0
    """Tokens of prompt and answer as the server counts them; if it does not, a quarter of the characters."""


@runtime_checkable
class TextModel(Protocol):
    """Answers conversations."""

    @property
    def name(self) -> str:
        """Its name for people, such as `chat:MODEL`."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything that changes an answer except the conversation, as JSON; for manifests and keys."""

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """Yield one reply per request, in order, as they become ready. `requests` is read no faster than needed."""


def request_key(identity: Mapping[str, Any], request: TextRequest) -> str:
    """Return the hash of all that changes an answer: the model's identity, each turn and image, length and draw."""
    turns = [[turn.role, [None if part is IMAGE else part for part in turn.content]] for turn in request.turns]
    images = [image.sha256 for image in request.images]
    content = [dict(identity), turns, images, request.max_tokens, request.draw]
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
