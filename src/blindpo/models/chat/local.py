"""A vision-language model in this process behind the interface of chat servers."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from blindpo.errors import ImageError
from blindpo.images.decode import decode_image
from blindpo.models.chat.interface import TextReply, TextRequest, request_key
from blindpo.models.vlm.generate import BATCHES_A_WINDOW, Request, generate
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.load import Vlm


class LocalTextModel:
    """Answers with `vlm`, without its thoughts.

    A sampled answer depends on the seed, the conversation and the draw alone.
    """

    def __init__(self, name: str, vlm: Vlm, *, temperature: float = 0.0, seed: int = 42, batch_size: int = 16) -> None:
        """Raises ConfigError for a setting out of range."""
        self.name = name
        self.identity: dict[str, Any] = {"model": vlm.fingerprint, "temperature": temperature, "seed": seed}
        self._vlm = vlm
        self._config = GenerationConfig(temperature=temperature, seed=seed, batch_size=batch_size)

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """Yield one reply per request, in order, a window of batches at a time; raises what generation raises."""
        waiting = iter(requests)
        while window := list(islice(waiting, self._config.batch_size * BATCHES_A_WINDOW)):
            yield from self._window(window)

    def _window(self, requests: list[TextRequest]) -> list[TextReply]:
        replies: dict[int, TextReply] = {}
        by_length: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            reason = self._unusable(request)
            if reason is None:
                by_length.setdefault(request.max_tokens, []).append(index)
            else:
                replies[index] = TextReply(text=None, failure=reason)
        for max_tokens, indices in by_length.items():
            answers = generate(
                self._vlm,
                [self._request(requests[index]) for index in indices],
                replace(self._config, max_new_tokens=max_tokens),
            )
            for index, answer in zip(indices, answers, strict=True):
                replies[index] = TextReply(
                    text=None if answer is None else answer.text,
                    failure="the model's answer is blank" if answer is None else None,
                    finish=None if answer is None else "length" if answer.cut else "stop",
                    model=self._vlm.fingerprint,
                    tokens=0 if answer is None else answer.num_tokens,
                )
        return [replies[index] for index in range(len(requests))]

    def _unusable(self, request: TextRequest) -> str | None:
        """Return why a request cannot be put to the model, or None: one bad request must not cost the others."""
        try:
            for image in request.images:
                decode_image(image.data)
        except ImageError as error:
            return error.reason
        marker = getattr(self._vlm.processor, "image_token", None)
        if isinstance(marker, str) and any(marker in turn.text for turn in request.turns):
            return f"a text holds {marker!r}, which the model reads as an image"
        return None

    def _request(self, request: TextRequest) -> Request:
        key = request_key(self.identity, request)
        return Request(row_id=key, draw=request.draw, turns=request.turns, images=request.images)
