"""Turn rows into examples: a prompt and its responses as token ids. Rows that cannot be trained on are rejected.

Token ids are made once and kept. Processed images are large (4 MB for one of 576 tokens), so they are kept by image
hash up to a limit and made again beyond it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from torch import Tensor

from blindpo.errors import RowError
from blindpo.images.decode import decode_image
from blindpo.jobs.shards import Reject
from blindpo.models.vlm.prompt import PER_TOKEN, PromptInputs, encode_prompt, encode_response
from blindpo.rows.checks import require_valid
from blindpo.rows.row import PreferenceRow

KEPT_IMAGE_BYTES: Final = 2 * 2**30

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One row, tokenized. `reference` holds the reference's log-probabilities in the order of `responses`."""

    row: PreferenceRow
    prompt: PromptInputs
    """Its extras hold the tensors with one value per token; those of the images come from `ImageTensors`."""
    image_key: tuple[str, ...]
    chosen: Ids
    rejected: tuple[Ids, ...]
    blind: tuple[Ids, ...]
    reference: tuple[float, ...] | None = None

    @property
    def responses(self) -> tuple[Ids, ...]:
        """The chosen, the rejected and the blind responses, in this order."""
        return (self.chosen, *self.rejected, *self.blind)

    @property
    def packed_tokens(self) -> int:
        """Length as one packed sequence: the prompt once, and all responses."""
        return len(self.prompt.input_ids) + sum(len(response) for response in self.responses)

    @property
    def longest_tokens(self) -> int:
        """Length of the prompt with the longest response."""
        return len(self.prompt.input_ids) + max(len(response) for response in self.responses)


Sets = dict[str, list[Example]]
"""Examples by "train" and "eval"."""


class ImageTensors:
    """The processor's tensors of a row's images, kept by the images' hashes; the least recently used go first."""

    def __init__(self, processor: Any, *, max_bytes: int = KEPT_IMAGE_BYTES) -> None:
        self.processor = processor
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._kept: OrderedDict[tuple[str, ...], dict[str, Tensor]] = OrderedDict()

    def encode(self, row: PreferenceRow, key: tuple[str, ...]) -> PromptInputs:
        """Tokens of the row's prompt; the images' tensors are kept aside. Raises RowError."""
        images = [decode_image(image.data) for image in row.images]
        prompt = encode_prompt(self.processor, row.prompt, images)
        if key not in self._kept:
            self._keep(key, {name: value for name, value in prompt.extras.items() if name not in PER_TOKEN})
        return replace(prompt, extras={n: v for n, v in prompt.extras.items() if n in PER_TOKEN})

    def whole_prompt(self, example: Example) -> PromptInputs:
        """The example's prompt with its images' tensors."""
        if example.image_key not in self._kept:
            self.encode(example.row, example.image_key)
        self._kept.move_to_end(example.image_key)
        return replace(example.prompt, extras={**example.prompt.extras, **self._kept[example.image_key]})

    def _keep(self, key: tuple[str, ...], tensors: dict[str, Tensor]) -> None:
        self._kept[key] = tensors
        self._num_bytes += _num_bytes(tensors)
        while self._num_bytes > self._max_bytes and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._num_bytes -= _num_bytes(dropped)


def _num_bytes(tensors: dict[str, Tensor]) -> int:
    return sum(value.nbytes for value in tensors.values())


def make_example(row: PreferenceRow, images: ImageTensors, *, use_blind: bool, max_length: int | None) -> Example:
    """Encode a row. Raises RowError if it is no pair, an image is bad, or it is longer than `max_length` tokens."""
    require_valid(row, pair=True)
    assert row.chosen is not None and row.rejected is not None
    key = tuple(image.sha256 for image in row.images)
    prompt = images.encode(row, key)
    processor, turns = images.processor, row.prompt
    example = Example(
        row=row,
        prompt=prompt,
        image_key=key,
        chosen=tuple(encode_response(processor, turns, row.chosen)),
        rejected=tuple(tuple(encode_response(processor, turns, t)) for t in (row.rejected, *row.more_rejected)),
        blind=tuple(tuple(encode_response(processor, turns, b.text, cut=b.cut)) for b in row.blind if use_blind),
    )
    if max_length is not None and example.longest_tokens > max_length:
        num_prompt = len(prompt.input_ids)
        raise RowError(
            f"{example.longest_tokens} tokens (prompt and images {num_prompt}, longest response "
            f"{example.longest_tokens - num_prompt}); allowed are {max_length}",
            field="prompt",
        )
    return example


def make_examples(
    rows: Iterable[PreferenceRow], images: ImageTensors, *, use_blind: bool, max_length: int | None, stage: str
) -> Iterator[Example | Reject]:
    """Yield each row as an example, or the reason why it cannot be one."""
    for row in rows:
        try:
            yield make_example(row, images, use_blind=use_blind, max_length=max_length)
        except RowError as error:
            yield Reject(row_id=row.row_id, field=error.field, reason=error.reason, stage=stage)
