"""Examples to one batch, packed (each prompt once) or plain (every response after its own full prompt).

The plain path repeats a prompt and its pictures as often as its row has responses. It is the measure for the packed
one, and what a model takes that cannot be packed. Both give the responses in the order chosen, rejected, blind.
Legend: S responses of a batch (of all its rows), N rows, T response tokens.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from blindpo.models.vlm.logprobs import response_logps, response_token_logps
from blindpo.models.vlm.prompt import SequenceBatch, collate
from blindpo.training.examples import Example, Ids, ImageTensors
from blindpo.training.mismatch import naming_rows
from blindpo.training.packing.batch import PackedBatch, pack, packed_logps, packed_token_logps
from blindpo.training.packing.families import Family
from blindpo.training.packing.segments import pack_row

CHOSEN, REJECTED, BLIND, COMPANION = 0, 1, 2, 3
KINDS: Final = (CHOSEN, REJECTED, BLIND)

Part = tuple[Example, Sequence[Ids]]
"""An example with those of its responses that are asked about."""


class Collator:
    """Calls give a dict of tensors, as transformers' loop wants it. With a `family` batches are packed.

    Two rows, the second with a blind response and both with one rejected one: five responses,

        kind_S  0 0 1 1 2      row_S  0 1 0 1 1
    """

    def __init__(self, images: ImageTensors, *, pad_id: int, family: Family | None = None) -> None:
        self.images = images
        self.pad_id = pad_id
        self.family = family

    def __call__(self, examples: Sequence[Example], companion: Example | None = None) -> dict[str, Any]:
        """One batch of `examples`; reference log-probabilities are 0 where they are not known yet.

        A `companion` goes along with its chosen response, without weight: see `training/micro_batches.py`.
        """
        places = [
            (kind, row, place)
            for kind in KINDS
            for row, example in enumerate(examples)
            for place in _places(example, kind)
        ]
        references = [0.0 if (known := examples[row].reference) is None else known[place] for _, row, place in places]
        number = {(row, place): s for s, (_, row, place) in enumerate(places)}
        parts: list[Part] = [(example, example.responses) for example in examples]
        order = [[number[row, place] for place in range(len(part[1]))] for row, part in enumerate(parts)]
        if companion is not None:
            places.append((COMPANION, len(parts), 0))
            references.append(0.0)
            parts.append((companion, [companion.chosen]))
            order.append([len(places) - 1])
        return {
            "kind_S": torch.tensor([kind for kind, _, _ in places]),
            "row_S": torch.tensor([row for _, row, _ in places]),
            "reference_S": torch.tensor(references, dtype=torch.float64),
            "tokens_S": torch.tensor([len(parts[row][1][place]) for _, row, place in places]),
            **self.scored(parts, order),
        }

    def scored(self, parts: Sequence[Part], order: Sequence[Sequence[int]] | None = None) -> dict[str, Any]:
        """What `logps` needs; `order[n][k]` is the number of part n's k-th response, else they count on."""
        if order is None:
            starts = torch.tensor([0, *(len(asked) for _, asked in parts)]).cumsum(0).tolist()
            order = [range(start, end) for start, end in pairwise(starts)]
        row_ids = [example.row.row_id for example, _ in parts]
        if self.family is not None:
            return {"packed": self._packed(self.family, parts, order).tensors(), "row_ids": row_ids}
        pairs = [
            (number, example, response)
            for (example, asked), numbers in zip(parts, order, strict=True)
            for number, response in zip(numbers, asked, strict=True)
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

    def _packed(self, family: Family, parts: Sequence[Part], order: Sequence[Sequence[int]]) -> PackedBatch:
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

    def logps(self, model: Any, batch: dict[str, Any]) -> Float[Tensor, " S"]:
        """One forward pass over a batch of this collator: the summed log-probability of each response."""
        with naming_rows(batch["row_ids"]):
            if self.family is not None:
                return packed_logps(model, PackedBatch(**batch["packed"]), self.family)
            return response_logps(model, as_sequence_batch(batch["sequences"])).sums_N

    def token_logps(self, model: Any, batch: dict[str, Any]) -> Float[Tensor, " T"]:
        """The same before the sums: response after response of a single part."""
        with naming_rows(batch["row_ids"]):
            if self.family is not None:
                return packed_token_logps(model, PackedBatch(**batch["packed"]), self.family)
            return response_token_logps(model, as_sequence_batch(batch["sequences"]))


def _places(example: Example, kind: int) -> range:
    """Where the responses of `kind` stand in `example.responses`."""
    borders = (0, 1, 1 + len(example.rejected), len(example.responses))
    return range(borders[kind], borders[kind + 1])


def as_sequence_batch(tensors: dict[str, Any]) -> SequenceBatch:
    """The batch's "sequences" as what `models/vlm/logprobs.py` takes."""
    extras: dict[str, Tensor] = tensors["extras"]
    return SequenceBatch(tensors["input_ids"], tensors["attention_mask"], tensors["response_mask"], extras)
