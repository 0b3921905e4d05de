"""Examples to one batch: all responses of all rows as sequences of their own, side by side.

Shape suffixes: S sequences (chosen first, then the other responses, row by row), N rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from blindpo.models.prompt import SequenceBatch, collate
from blindpo.train.examples import Example


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes batches for the trainer. `reference` maps a response's key to its reference log-probability."""

    pad_id: int
    reference: Mapping[str, float] | None

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Tensors of one batch; `row_S` and `kind_S` say whose response a sequence is, and which."""
        flat = [(row, k) for row, example in enumerate(examples) for k in range(len(example.responses))]
        batch = collate(
            [examples[row].prompt for row, _ in flat],
            [examples[row].responses[k] for row, k in flat],
            pad_id=self.pad_id,
        )
        made: dict[str, Any] = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "response_mask": batch.response_mask,
            "extras": batch.extras,
            "row_S": torch.tensor([row for row, _ in flat]),
            "kind_S": torch.tensor([examples[row].kinds[k] for row, k in flat]),
        }
        if self.reference is not None:
            made["reference_S"] = torch.tensor([self.reference[examples[row].keys[k]] for row, k in flat])
        return made


def sequences(batch: Mapping[str, Any]) -> SequenceBatch:
    """The part of a batch that the model reads."""
    return SequenceBatch(batch["input_ids"], batch["attention_mask"], batch["response_mask"], batch["extras"])


def num_rows(batch: Mapping[str, Tensor]) -> int:
    """Rows of a batch: each has one chosen response."""
    return int((batch["kind_S"] == 0).sum())
