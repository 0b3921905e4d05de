"""Collate examples into one batch, packed (each prompt once) or plain (every response after its own full prompt).

The plain path repeats a prompt and its images as often as its row has responses. The packed path is checked against it,
and models that cannot be packed use it. Both give the responses in the order chosen, rejected, blind.
Legend: S responses of a batch (of all its rows), N rows, T response tokens.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NotRequired, TypedDict

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from blindpo.models.vlm.logprobs import response_logps, response_token_logps
from blindpo.models.vlm.prompt import SequenceBatch, collate
from blindpo.training.examples import Example, Ids, ImageTensors
from blindpo.training.mismatch import naming_rows
from blindpo.training.packing.batch import PackedBatch, pack, packed_logps, packed_token_logps
from blindpo.training.packing.families import Family
from blindpo.training.packing.segments import pack_row

CHOSEN, REJECTED, BLIND, DUMMY = 0, 1, 2, 3
RESPONSE_KINDS: Final = (CHOSEN, REJECTED, BLIND)

ScoredPart = tuple[Example, Sequence[Ids]]
"""An example with the responses to be scored, which are some or all of its own."""


class ScoredInputs(TypedDict):
    """What one forward pass needs: `packed` or `sequences`."""

    row_ids: list[str]
    """The ids of the rows, for messages."""
    packed: NotRequired[dict[str, Any]]
    """The fields of a `PackedBatch`."""
    sequences: NotRequired[dict[str, Any]]
    """The fields of a `SequenceBatch`."""


class Batch(ScoredInputs):
    """A batch of training: the forward pass, and what each response in it is. A dict, so that transformers' loop can
    move it between devices."""

    kind_S: Int[Tensor, " S"]
    """CHOSEN, REJECTED, BLIND or DUMMY."""
    row_S: Int[Tensor, " S"]
    """The row of the batch that each response belongs to; the dummy row comes after the last."""
    tokens_S: Int[Tensor, " S"]
    """Length of each response."""
    reference_S: Float[Tensor, " S"]
    """Log-probability of each response under the reference, in float64; 0 where it is computed at each step."""


class Collator:
    """Makes batches; packed ones if it has a `family`.

    Two rows, with token ids: prompt [7, 8], chosen [1, 2], rejected [3]; prompt [5], chosen [6], rejected [4],
    blind [9]. Their five responses, in the order chosen, rejected, blind:

        kind_S    0 0 1 1 2      row_S  0 1 0 1 1      tokens_S  2 1 1 1 1

    As plain sequences (padded with 0), one per response, and as packed ones, one per row:

        input_ids    7 8 1 2      response_mask  . . x x      ids_NS      7 8 1 2 3
                     5 6 0 0                     . x . .                  5 6 4 9 0
                     7 8 3 0                     . . x .      segment_NS  0 0 1 1 2
                     5 4 0 0                     . x . .                  0 1 2 3 -1
                     5 9 0 0                     . x . .      target_T    1 2 3 6 4 9      response_T  0 0 2 1 3 4
    """

    def __init__(self, images: ImageTensors, *, pad_id: int, family: Family | None = None) -> None:
        self.images = images
        self.pad_id = pad_id
        self.family = family

    def __call__(self, examples: Sequence[Example], dummy: Example | None = None) -> Batch:
        """One batch of `examples`; reference log-probabilities are 0 where they are not known yet.

        The chosen response of the `dummy` row is scored too and has no weight: see `training/micro_batches.py`.
        """
        listed = [
            (kind, row, index)
            for kind in RESPONSE_KINDS
            for row, example in enumerate(examples)
            for index in _indices(example, kind)
        ]
        references = [0.0 if (known := examples[row].reference) is None else known[index] for _, row, index in listed]
        number = {(row, index): s for s, (_, row, index) in enumerate(listed)}
        parts: list[ScoredPart] = [(example, example.responses) for example in examples]
        order = [[number[row, index] for index in range(len(part[1]))] for row, part in enumerate(parts)]
        if dummy is not None:
            listed.append((DUMMY, len(parts), 0))
            references.append(0.0)
            parts.append((dummy, [dummy.chosen]))
            order.append([len(listed) - 1])
        return {
            "kind_S": torch.tensor([kind for kind, _, _ in listed]),
            "row_S": torch.tensor([row for _, row, _ in listed]),
            "reference_S": torch.tensor(references, dtype=torch.float64),
            "tokens_S": torch.tensor([len(parts[row][1][index]) for _, row, index in listed]),
            **self.scored(parts, order),
        }

    def scored(self, parts: Sequence[ScoredPart], order: Sequence[Sequence[int]] | None = None) -> ScoredInputs:
        """What `logps` needs. `order[n][k]` is the number of part n's k-th response; without it they are numbered part
        by part."""
        if order is None:
            starts = torch.tensor([0, *(len(responses) for _, responses in parts)]).cumsum(0).tolist()
            order = [range(start, end) for start, end in pairwise(starts)]
        row_ids = [example.row.row_id for example, _ in parts]
        if self.family is not None:
            return {"packed": self._packed(self.family, parts, order).tensors(), "row_ids": row_ids}
        pairs = [
            (number, example, response)
            for (example, responses), numbers in zip(parts, order, strict=True)
            for number, response in zip(numbers, responses, strict=True)
        ]
        ordered = sorted(pairs, key=lambda pair: pair[0])
        prompts = [self.images.whole_prompt(example) for _, example, _ in ordered]
        sequences = collate(prompts, [list(response) for _, _, response in ordered], pad_id=self.pad_id)
        return {
            "sequences": {
                "input_ids": sequences.input_ids,
                "attention_mask": sequences.attention_mask,
                "response_mask": sequences.response_mask,
                "extras": sequences.extras,
            },
            "row_ids": row_ids,
        }

    def _packed(self, family: Family, parts: Sequence[ScoredPart], order: Sequence[Sequence[int]]) -> PackedBatch:
        prompts = [self.images.whole_prompt(example) for example, _ in parts]
        rows = [
            pack_row(
                prompt.input_ids,
                responses,
                position_P=family.positions(prompt.input_ids, prompt.extras),
                block_P=family.blocks(prompt.input_ids, prompt.extras),
            )
            for prompt, (_, responses) in zip(prompts, parts, strict=True)
        ]
        return pack(rows, prompts, order, pad_id=self.pad_id)

    def logps(self, model: nn.Module, batch: ScoredInputs) -> Float[Tensor, " S"]:
        """One forward pass over a batch of this collator: the summed log-probability of each response."""
        with naming_rows(batch["row_ids"]):
            if self.family is not None:
                return packed_logps(model, PackedBatch(**batch["packed"]), self.family)
            return response_logps(model, as_sequence_batch(batch["sequences"])).sums_N

    def token_logps(self, model: nn.Module, batch: ScoredInputs) -> Float[Tensor, " T"]:
        """The same before the sums, response after response, for a batch of one part."""
        with naming_rows(batch["row_ids"]):
            if self.family is not None:
                return packed_token_logps(model, PackedBatch(**batch["packed"]), self.family)
            return response_token_logps(model, as_sequence_batch(batch["sequences"]))


def _indices(example: Example, kind: int) -> range:
    """Indices of the responses of `kind` in `example.responses`."""
    borders = (0, 1, 1 + len(example.rejected), len(example.responses))
    return range(borders[kind], borders[kind + 1])


def as_sequence_batch(tensors: dict[str, Any]) -> SequenceBatch:
    """The batch's "sequences" as what `models/vlm/logprobs.py` takes."""
    extras: dict[str, Tensor] = tensors["extras"]
    return SequenceBatch(tensors["input_ids"], tensors["attention_mask"], tensors["response_mask"], extras)
