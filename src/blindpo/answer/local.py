"""Responses as a stage: every row under its views, shard by shard, stored once so that judging never asks again.

Views are those of `views.py` that were asked for and that the row has. Where the row has a pair, the mean
log-probability per token of chosen and rejected is stored with the `as_is` response. A shard's file is renamed into
place when it is whole: a kill loses one shard at most, and the same command ends with the same bytes.
"""

import math
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import Response, View
from blindpo.answer.shards import WHOLE, Part, write_shards
from blindpo.answer.views import VIEWS, Pictures, has_view, shown_row
from blindpo.errors import RowError
from blindpo.images.decode import decode_image
from blindpo.models.vlm.generate import Request, generate
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.logprobs import response_logps
from blindpo.models.vlm.prompt import PromptInputs, collate, encode_prompt, encode_response
from blindpo.rows.row import PreferenceRow

PromptCache = dict[tuple[str, str, str], PromptInputs | str]
"""Prompts by (data and processor, row id, view); a text instead is why there is none."""
BLANK = "blank response"


def write_responses(
    vlm: Vlm,
    config: AnswerConfig,
    data: Path,
    work: Path,
    *,
    views: Sequence[str],
    likelihoods: bool,
    cache: "Prompts",
    part: Part = WHOLE,
) -> list[Path]:
    """Make the part's shards that are not in `work` yet; returns all of them in order."""

    def answered(rows: Sequence[PreferenceRow]) -> list[Response]:
        return respond(vlm, config, rows, views=views, likelihoods=likelihoods, cache=cache)

    return write_shards(data, work, answered, shard_rows=config.shard_rows, part=part)


def processor_identity(processor: Any) -> str:
    """What decides how a prompt is tokenized, hashed: the template, the tokenizer and the image processor."""
    parts = (
        str(processor.chat_template),
        processor.tokenizer.backend_tokenizer.to_str(),
        processor.image_processor.to_json_string(),
    )
    return sha256("\x1f".join(parts).encode()).hexdigest()


class Prompts:
    """Tokenized prompts, kept for the next model that has the same processor (`cache`), or for one shard only."""

    def __init__(
        self, processor: Any, scope: str, cache: PromptCache | None = None, *, pictures: Pictures | None = None
    ) -> None:
        self.processor = processor
        self.scope = scope
        self.cache = cache
        self.pictures = pictures or Pictures()

    def get(self, row: PreferenceRow, view: View) -> PromptInputs | str:
        """The prompt of `row` under `view`, or the reason why it cannot be made."""
        key = (self.scope, row.row_id, view)
        if self.cache is None:
            return self._encode(row, view)
        if key not in self.cache:
            self.cache[key] = self._encode(row, view)
        return self.cache[key]

    def _encode(self, row: PreferenceRow, view: View) -> PromptInputs | str:
        try:
            shown = shown_row(row, view, self.pictures)
            return encode_prompt(self.processor, shown.prompt, [decode_image(image.data) for image in shown.images])
        except RowError as error:
            return error.reason


def respond(
    vlm: Vlm,
    config: AnswerConfig,
    rows: Sequence[PreferenceRow],
    *,
    views: Sequence[str],
    likelihoods: bool,
    cache: Prompts,
) -> list[Response]:
    """The responses to `rows` under all their views, in order."""
    wanted = [(row, view) for row in rows for view in VIEWS if view in views and has_view(row, view)]
    prompts = [cache.get(row, view) for row, view in wanted]
    usable = [place for place, prompt in enumerate(prompts) if isinstance(prompt, PromptInputs)]
    requests = [_request(*wanted[place], cache.pictures) for place in usable]
    answers = generate(vlm, requests, config)
    answered = dict(zip(usable, answers, strict=True))
    pairs = [(w[0], p) for w, p in zip(wanted, prompts, strict=True) if w[1] == "as_is"] if likelihoods else []
    scored = _likelihoods(vlm, config, pairs)
    responses = []
    for place, (row, view) in enumerate(wanted):
        answer, prompt = answered.get(place), prompts[place]
        chosen, rejected = scored.get(row.row_id, (None, None)) if view == "as_is" else (None, None)
        responses.append(
            Response(
                row_id=row.row_id,
                view=view,
                text=None if answer is None else answer.text,
                cut=answer is not None and answer.cut,
                reason=prompt if isinstance(prompt, str) else BLANK if answer is None else None,
                chosen_logp_per_token=chosen,
                rejected_logp_per_token=rejected,
                thought=None if answer is None else answer.thought or None,
            )
        )
    return responses


def _request(row: PreferenceRow, view: View, pictures: Pictures) -> Request:
    """Draws tell views apart, so that a sampled response depends on the row and its view alone."""
    shown = shown_row(row, view, pictures)
    return Request(row_id=row.row_id, draw=VIEWS.index(view), turns=shown.prompt, images=shown.images)


def _likelihoods(
    vlm: Vlm, config: AnswerConfig, rows: Sequence[tuple[PreferenceRow, PromptInputs | str]]
) -> dict[str, tuple[float, float]]:
    """Mean log-probability per token of chosen and rejected, by row id, for the rows that have both.

    A value that overflowed (half precision) says nothing: such a row is left out, and counted as missing.
    """
    sequences: list[tuple[str, PromptInputs, list[int]]] = []
    for row, prompt in rows:
        if isinstance(prompt, PromptInputs) and row.chosen is not None and row.rejected is not None:
            for text in (row.chosen, row.rejected):
                sequences.append((row.row_id, prompt, encode_response(vlm.processor, row.prompt, text)))
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i][1].input_ids) - len(sequences[i][2]))
    means = [0.0] * len(sequences)
    for start in range(0, len(order), config.batch_size):
        places = order[start : start + config.batch_size]
        batch = collate([sequences[i][1] for i in places], [sequences[i][2] for i in places], pad_id=vlm.pad_id)
        with torch.inference_mode():
            found = response_logps(vlm.model, batch).per_token_N.tolist()
        for place, mean in zip(places, found, strict=True):
            means[place] = mean
    scored = {sequences[i][0]: (means[i], means[i + 1]) for i in range(0, len(sequences), 2)}
    return {row_id: both for row_id, both in scored.items() if all(map(math.isfinite, both))}
