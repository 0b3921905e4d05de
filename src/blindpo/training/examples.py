"""Row to example: a prompt and its responses as token ids. A row that cannot be trained on is rejected with the reason.

Token ids are made once and kept. Processed pictures are large (4 MB for one of 576 tokens), so they are kept by image
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
    """Its extras hold what there is one of per token; what belongs to the pictures comes from `ImageTensors`."""
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


class ImageTensors:
    """What the processor makes of a row's pictures, by the pictures' hashes; the least used go first."""

    def __init__(self, processor: Any, *, max_bytes: int = KEPT_IMAGE_BYTES) -> None:
        self.processor = processor
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._kept: OrderedDict[tuple[str, ...], dict[str, Tensor]] = OrderedDict()

    def encode(self, row: PreferenceRow, key: tuple[str, ...]) -> PromptInputs:
        """Tokens of the row's prompt; what belongs to the pictures is kept aside. Raises RowError."""
        pictures = [decode_image(image.data) for image in row.images]
        made = encode_prompt(self.processor, row.prompt, pictures)
        if key not in self._kept:
            self._keep(key, {name: value for name, value in made.extras.items() if name not in PER_TOKEN})
        return replace(made, extras={n: v for n, v in made.extras.items() if n in PER_TOKEN})

    def whole_prompt(self, example: Example) -> PromptInputs:
        """The example's prompt with its pictures."""
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
    """Raises RowError for a row that is no pair, whose pictures are bad, or that is longer than `max_length` tokens."""
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
    """Each row as an example, or the reason why it cannot be one."""
    for row in rows:
        try:
            yield make_example(row, images, use_blind=use_blind, max_length=max_length)
        except RowError as error:
            yield Reject(row_id=row.row_id, field=error.field, reason=error.reason, stage=stage)
