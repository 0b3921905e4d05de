"""Answers from a local vision-language model, greedy or sampled, with likelihoods on request.

A response depends on the seed, the row's id and the sample's number alone, never on the batch, the process or the
machine.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any

import torch

from blindpo.answer.answerer import Ask
from blindpo.answer.config import AnswerConfig
from blindpo.answer.response import EMPTY, Response
from blindpo.errors import RowError
from blindpo.images.decode import decode_image
from blindpo.models.vlm.generate import Request, generate
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.logprobs import ResponseLogps, response_logps
from blindpo.models.vlm.prompt import PromptInputs, collate, encode_prompt, encode_response
from blindpo.models.vlm.source import ModelSource, fingerprint
from blindpo.rows.row import PreferenceRow
from blindpo.rows.view_names import VIEWS

PromptCache = dict[tuple[str, str, str], PromptInputs | str]
"""Prompts by (data and processor, row id, view); a text is the reason why there is none."""


class LocalAnswers:
    """Answers with the model of `source`, loaded at first use unless it is given as `vlm`.

    With `likelihoods`, the pair of each row is scored under the view `as_is`. `prompt_cache` keeps tokenized prompts of
    the data called `scope` for the next model with the same processor. Neither the model nor the cache is sent to other
    processes.
    """

    views = VIEWS

    def __init__(
        self,
        source: ModelSource,
        config: AnswerConfig,
        *,
        vlm: Vlm | None = None,
        likelihoods: bool = False,
        prompt_cache: PromptCache | None = None,
        scope: str = "",
    ) -> None:
        self.source = source
        self.drawn = config
        self._likelihoods = likelihoods
        self._cache = prompt_cache
        self._scope = scope
        self._vlm = vlm

    @property
    def name(self) -> str:
        """The folder's name, or the hub id with its revision, so that no path leaves the machine."""
        return self.source.path.resolve().name if self.source.path is not None else self.source.given

    @cached_property
    def fingerprint(self) -> str:
        """The hash of the model's files."""
        return self._vlm.fingerprint if self._vlm is not None else fingerprint(self.source)

    @property
    def revision(self) -> str | None:
        """The revision of a model on the hub."""
        return self.source.revision

    @property
    def vlm(self) -> Vlm:
        """The loaded model."""
        if self._vlm is None:
            self._vlm = load_vlm(self.source, dtype=self.drawn.dtype, image_padding=self.drawn.image_padding)
        return self._vlm

    def check(self, row: PreferenceRow) -> None:
        """Raise RowError if the processor does not accept `row` with its images."""
        encode_row(self.vlm, row)

    def respond(self, asks: Sequence[Ask]) -> list[Response]:
        """Return one response per ask, in order."""
        prompts = None if self._cache is None else self._cached_prompts(asks, self._cache)
        return respond(self.vlm, asks, self.drawn, prompts=prompts, likelihoods=self._likelihoods)

    def _cached_prompts(self, asks: Sequence[Ask], cache: PromptCache) -> list[PromptInputs | str]:
        scope = f"{self._scope}\x1f{processor_identity(self.vlm.processor)}"
        keys = [(scope, ask.row.row_id, ask.view) for ask in asks]
        for key, ask in zip(keys, asks, strict=True):
            if key not in cache:
                cache[key] = _prompt(self.vlm, ask.shown)
        return [cache[key] for key in keys]

    def logp_in_sight(self, pairs: Sequence[tuple[PreferenceRow, Response]]) -> tuple[float, int]:
        """Return the summed log-probability of the responses when the rows' images are shown, and their tokens."""
        ordered = sorted(pairs, key=lambda pair: sum(len(t.text) for t in pair[0].prompt) + len(pair[1].text or ""))
        sequences = (
            (encode_row(self.vlm, row), encode_response(self.vlm.processor, row.prompt, each.text or "", cut=each.cut))
            for row, each in ordered
        )
        total, num_tokens = 0.0, 0
        for logps in score_batches(self.vlm, sequences, self.drawn.batch_size):
            total += float(logps.sums_N.double().sum())
            num_tokens += int(logps.num_tokens_N.sum())
        return total, num_tokens

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what each process loads itself."""
        return {**self.__dict__, "_vlm": None, "_cache": None}


def encode_row(vlm: Vlm, shown: PreferenceRow) -> PromptInputs:
    """Encode the prompt of a row as shown. Raises RowError if the processor does not accept it."""
    return encode_prompt(vlm.processor, shown.prompt, [decode_image(image.data) for image in shown.images])


def processor_identity(processor: Any) -> str:
    """Return the hash of everything that affects tokenized prompts: template, tokenizer and image processor."""
    parts = (
        str(processor.chat_template),
        processor.tokenizer.backend_tokenizer.to_str(),
        processor.image_processor.to_json_string(),
    )
    return sha256("\x1f".join(parts).encode()).hexdigest()


def _prompt(vlm: Vlm, shown: PreferenceRow | str) -> PromptInputs | str:
    if isinstance(shown, str):
        return shown
    try:
        return encode_row(vlm, shown)
    except RowError as error:
        return error.reason


def respond(
    vlm: Vlm,
    asks: Sequence[Ask],
    config: GenerationConfig,
    *,
    prompts: Sequence[PromptInputs | str] | None = None,
    likelihoods: bool = False,
) -> list[Response]:
    """Return the response to each of `asks`, in order; `prompts` are their prompts, or reasons, if made already."""
    if prompts is None:
        shown = {id(ask.shown): ask.shown for ask in asks}  # all draws of one view of a row share a prompt
        encoded = {key: _prompt(vlm, row) for key, row in shown.items()}
        prompts = [encoded[id(ask.shown)] for ask in asks]
    usable = {
        index: (ask.shown, prompt)
        for index, (ask, prompt) in enumerate(zip(asks, prompts, strict=True))
        if not isinstance(ask.shown, str) and not isinstance(prompt, str)
    }
    requests = [
        Request(row_id=asks[index].row.row_id, draw=asks[index].sample, turns=seen.prompt, images=seen.images)
        for index, (seen, _) in usable.items()
    ]
    answers = dict(
        zip(usable, generate(vlm, requests, config, prompts=[prompt for _, prompt in usable.values()]), strict=True)
    )
    own = {index: prompt for index, (_, prompt) in usable.items() if asks[index].view == "as_is"} if likelihoods else {}
    scores = _pair_scores(vlm, {index: (asks[index].row, prompt) for index, prompt in own.items()}, config.batch_size)
    responses = []
    for index, (ask, prompt) in enumerate(zip(asks, prompts, strict=True)):
        answer = answers.get(index)
        chosen, rejected = scores.get(index, (None, None))
        responses.append(
            Response(
                row_id=ask.row.row_id,
                view=ask.view,
                draw=ask.draw,
                text=None if answer is None else answer.text,
                cut=answer is not None and answer.cut,
                reason=prompt if isinstance(prompt, str) else EMPTY if answer is None else None,
                chosen_logp_per_token=chosen,
                rejected_logp_per_token=rejected,
                thought=None if answer is None else answer.thought or None,
                num_tokens=None if answer is None else answer.num_tokens,
                redraws=0 if answer is None else answer.redraws,
            )
        )
    return responses


def _pair_scores(
    vlm: Vlm, rows: dict[int, tuple[PreferenceRow, PromptInputs]], batch_size: int
) -> dict[int, tuple[float, float]]:
    """Return the mean log-probability per token of chosen and rejected, for rows that have both.

    A value that overflowed (half precision) is meaningless: such a row is left out, and counted as missing.
    """
    sequences: list[tuple[PromptInputs, list[int]]] = []
    scored: list[int] = []
    for index, (row, prompt) in rows.items():
        if row.chosen is not None and row.rejected is not None:
            scored.append(index)
            sequences += [(prompt, encode_response(vlm.processor, row.prompt, t)) for t in (row.chosen, row.rejected)]
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i][0].input_ids) - len(sequences[i][1]))
    batches = score_batches(vlm, [sequences[i] for i in order], batch_size)
    means = dict(zip(order, (mean for logps in batches for mean in logps.per_token_N.tolist()), strict=True))
    scores = {index: (means[2 * i], means[2 * i + 1]) for i, index in enumerate(scored)}
    return {index: both for index, both in scores.items() if all(map(math.isfinite, both))}


def score_batches(
    vlm: Vlm, sequences: Iterable[tuple[PromptInputs, list[int]]], batch_size: int
) -> Iterator[ResponseLogps]:
    """Yield log-probabilities of responses (token ids) after their prompts, one batch at a time, in order."""
    waiting = iter(sequences)
    while batch := list(islice(waiting, batch_size)):
        prompts, ids = zip(*batch, strict=True)
        with torch.no_grad():
            logps = response_logps(vlm.model, collate(prompts, ids, pad_id=vlm.pad_id))
        yield logps
