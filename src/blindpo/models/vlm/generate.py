"""Generate answers in batches; an answer depends on seed, row id and draw alone, never on its batch.

transformers' own sampling draws from the global generator, so a row's answer would change with its neighbours. Here
generation is greedy over logits plus Gumbel noise, which is the same as sampling (the Gumbel-max trick, Maddison et
al. 2014, https://arxiv.org/abs/1411.0030), and every row has its own generator. Temperature, top-k and top-p are
transformers' own warpers, applied before the noise. Batches are formed by prompt length; padding is on the left.

Legend: B rows of a batch, L prompt length, V vocabulary, S steps of one draw of noise.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import GenerationConfig as HfGenerationConfig
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from blindpo.images.decode import decode_image
from blindpo.jobs.seeds import derive_seed
from blindpo.models.thoughts import open_thought, split_thought
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.prompt import PromptInputs, collate, encode_prompt, stop_ids
from blindpo.rows.row import ImageRef, Turn

MAX_REDRAWS: Final = 3
BATCHES_A_WINDOW: Final = 8
"""Number of batches whose prompts are tokenized and sorted by length together: memory stays flat, padding small."""
PROMPT_END: Final = 16
"""Number of last tokens of a prompt that show whether it opens a thought."""
NOISE_VALUES: Final = 1 << 22
"""Number of noise values drawn ahead; bounds memory, and does not change the values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for one answer: the conversation up to the model's turn, and the number of the draw."""

    row_id: str
    draw: int = 0
    turns: tuple[Turn, ...]
    images: tuple[ImageRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A model's answer; `cut` if it stopped at max_new_tokens. Tokens are counted without the end of turn."""

    text: str
    """The answer without its thought; an unfinished thought leaves it blank."""
    cut: bool
    num_tokens: int
    """Tokens of thought and text together."""
    thought: str = ""
    redraws: int = 0
    """Number of blank answers before this one."""


class GumbelNoise(LogitsProcessor):  # type: ignore[misc]  # transformers is not followed by mypy
    """Adds Gumbel noise to each row's scores from the row's own seed, so that the largest is a sample."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
        self._noise_BSV = np.empty((len(seeds), 0, 0), dtype=np.float32)
        self._step = 0

    def __call__(self, input_ids: Int[Tensor, "B L"], scores: Float[Tensor, "B V"]) -> Float[Tensor, "B V"]:
        if self._step == self._noise_BSV.shape[1]:
            self._draw_ahead(scores.shape[-1])
        noise_BV = torch.from_numpy(self._noise_BSV[:, self._step])
        self._step += 1
        return scores + noise_BV.to(device=scores.device, dtype=scores.dtype)

    def _draw_ahead(self, vocabulary: int) -> None:
        """Draw noise for several steps; how many does not matter, since value n of a generator is always the same."""
        steps = max(1, min(16, NOISE_VALUES // (vocabulary * len(self._generators))))
        shape = (steps, vocabulary)
        uniform_BSV = np.stack([generator.random(shape, dtype=np.float32) for generator in self._generators])
        # uniforms are multiples of 2**-24 from 0; half a step keeps both logarithms finite
        exponential_BSV = -np.log(uniform_BSV + np.float32(2**-25))
        self._noise_BSV = -np.log(exponential_BSV.clip(min=np.float32(2**-25)))
        self._step = 0


def generate(
    vlm: Vlm,
    requests: Sequence[Request],
    config: GenerationConfig,
    *,
    prompts: Sequence[PromptInputs] | None = None,
) -> list[Answer | None]:
    """Return one answer per request, in order; None if it and three redraws were blank (greedy: without redraws).

    `prompts` are the requests' prompts if they are tokenized already.
    """
    answers: list[Answer | None] = []
    window = config.batch_size * BATCHES_A_WINDOW
    for start in range(0, len(requests), window):
        wanted = requests[start : start + window]
        encoded = _encode(vlm.processor, wanted) if prompts is None else prompts[start : start + window]
        answers += _answer_window(vlm, wanted, encoded, config)
    return answers


def _answer_window(
    vlm: Vlm, requests: Sequence[Request], prompts: Sequence[PromptInputs], config: GenerationConfig
) -> list[Answer | None]:
    answers: list[Answer | None] = [None] * len(requests)
    waiting = list(range(len(requests)))
    for attempt in range(1 + (MAX_REDRAWS if config.temperature > 0 else 0)):
        for batch in _batches(waiting, prompts, config.batch_size):
            texts = _answer_batch(
                vlm, [prompts[i] for i in batch], [requests[i] for i in batch], config, attempt=attempt
            )
            for i, answer in zip(batch, texts, strict=True):
                answers[i] = answer if answer.text.strip() else None
        waiting = [i for i in waiting if answers[i] is None]
        if not waiting:
            break
    return answers


def _encode(processor: Any, requests: Sequence[Request]) -> list[PromptInputs]:
    """Encode each different conversation once, since draws of one row share it."""
    encoded: dict[tuple[tuple[Turn, ...], tuple[ImageRef, ...]], PromptInputs] = {}
    prompts = []
    for request in requests:
        key = (request.turns, request.images)
        if key not in encoded:
            encoded[key] = encode_prompt(
                processor, request.turns, [decode_image(image.data) for image in request.images]
            )
        prompts.append(encoded[key])
    return prompts


def _batches(waiting: Sequence[int], prompts: Sequence[PromptInputs], size: int) -> Iterator[list[int]]:
    """Yield batches, longest prompts first, so that too large a batch fails at once and not after hours."""
    ordered = sorted(waiting, key=lambda i: -len(prompts[i].input_ids))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def _answer_batch(
    vlm: Vlm, prompts: Sequence[PromptInputs], requests: Sequence[Request], config: GenerationConfig, *, attempt: int
) -> list[Answer]:
    model, processor = vlm.model, vlm.processor
    stops = stop_ids(processor, requests[0].turns) | _model_stops(model)
    batch = collate(prompts, [()] * len(prompts), pad_id=vlm.pad_id, side="left")
    seeds = [derive_seed(config.seed, request.row_id, request.draw, attempt) for request in requests]
    settings = HfGenerationConfig(
        max_new_tokens=config.max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(stops) or None,
        pad_token_id=vlm.pad_id,
    )
    with torch.inference_mode(), _plain_generation(model, settings):
        ids_BL = model.generate(
            **batch.model_inputs(model.device, model.dtype),
            generation_config=settings,
            logits_processor=_processors(config, seeds),
        )
    new = ids_BL[:, batch.input_ids.shape[1] :].tolist()
    ends = [processor.tokenizer.decode(prompt.input_ids[-PROMPT_END:].tolist()) for prompt in prompts]
    return [
        _answer(processor, ids, stops, attempt, opened=open_thought(end)) for ids, end in zip(new, ends, strict=True)
    ]


def _processors(config: GenerationConfig, seeds: Sequence[int]) -> LogitsProcessorList:
    if config.temperature == 0.0:
        return LogitsProcessorList()
    warpers: list[LogitsProcessor] = [TemperatureLogitsWarper(config.temperature)]
    if config.top_k:
        warpers.append(TopKLogitsWarper(config.top_k))
    if config.top_p < 1.0:
        warpers.append(TopPLogitsWarper(config.top_p))
    return LogitsProcessorList([*warpers, GumbelNoise(seeds)])


def _model_stops(model: Any) -> set[int]:
    named = model.generation_config.eos_token_id
    return set() if named is None else {named} if isinstance(named, int) else set(named)


@contextmanager
def _plain_generation(model: Any, settings: HfGenerationConfig) -> Iterator[None]:
    """Keep the model's own generation defaults (a repetition penalty, say) from filling options that we leave open."""
    own = model.generation_config
    model.generation_config = settings
    try:
        yield
    finally:
        model.generation_config = own


def _answer(processor: Any, ids: Sequence[int], stops: set[int], attempt: int, *, opened: str = "") -> Answer:
    end = next((index for index, number in enumerate(ids) if number in stops), None)
    kept = ids if end is None else ids[:end]
    text = processor.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    thought, answer = split_thought(opened + text)
    return Answer(text=answer, cut=end is None, num_tokens=len(kept), thought=thought, redraws=attempt)
