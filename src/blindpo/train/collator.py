"""Examples to one batch: every response after its own full prompt, in the order chosen, rejected, blind.

The plain path: a picture is repeated as often as its row has responses. It is the measure for any faster one.
Legend: S sequences of a batch (all responses of all its rows), N rows.
"""

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from blindpo.models.prompt import SequenceBatch, collate
from blindpo.train.examples import Example, Ids, ImageTensors

CHOSEN, REJECTED, BLIND = 0, 1, 2
KINDS: Final = (CHOSEN, REJECTED, BLIND)


class Collator:
    """Calls give a dict of tensors, as transformers' loop wants it.

    Two rows, the second with a blind response and both with one rejected one: five sequences,

        kind_S  0 0 1 1 2      row_S  0 1 0 1 1
    """

    def __init__(self, images: ImageTensors, *, pad_id: int) -> None:
        self.images = images
        self.pad_id = pad_id

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """One batch of `examples`; reference log-probabilities are 0 where they are not known yet."""
        places = [
            (kind, row, place)
            for kind in KINDS
            for row, example in enumerate(examples)
            for place in _places(example, kind)
        ]
        sequences = self.sequences([(examples[row], examples[row].responses[place]) for _, row, place in places])
        references = [0.0 if (known := examples[row].reference) is None else known[place] for _, row, place in places]
        return {
            "kind_S": torch.tensor([kind for kind, _, _ in places]),
            "row_S": torch.tensor([row for _, row, _ in places]),
            "reference_S": torch.tensor(references, dtype=torch.float32),
            "sequences": {
                "input_ids": sequences.input_ids,
                "attention_mask": sequences.attention_mask,
                "response_mask": sequences.response_mask,
                "extras": sequences.extras,
            },
        }

    def sequences(self, pairs: Sequence[tuple[Example, Ids]]) -> SequenceBatch:
        """Each response after its example's prompt, padded."""
        prompts = [self.images.whole_prompt(example) for example, _ in pairs]
        return collate(prompts, [list(response) for _, response in pairs], pad_id=self.pad_id)


def _places(example: Example, kind: int) -> range:
    """Where the responses of `kind` stand in `example.responses`."""
    borders = (0, 1, 1 + len(example.rejected), len(example.responses))
    return range(borders[kind], borders[kind + 1])


def as_sequence_batch(tensors: dict[str, Any]) -> SequenceBatch:
    """The batch's "sequences" as what `models/logprobs.py` takes."""
    extras: dict[str, Tensor] = tensors["extras"]
    return SequenceBatch(tensors["input_ids"], tensors["attention_mask"], tensors["response_mask"], extras)
