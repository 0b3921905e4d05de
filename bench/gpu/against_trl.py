"""TRL's DPOTrainer on the same rows, as the two pair data sets of the released code: what our trainer is held against.

Real `.train()` steps of its own: its collator, the family's processor, and its reference at every step, since it
refuses to cache one for rows with images. A micro-batch has the two pairs of each of its rows. Tokens are the very
ones that our trainer is given; images have the same size, and one colour, so that reading them takes no time.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from models import Kind
from PIL import Image
from processors import text_of

from blindpo.training.examples import Example

PAIRS = 2
"""Of a row: chosen against rejected, chosen against blind."""


def processor_for(kind: Kind) -> Any:
    """The family's processor. Ends the process with the reason where it cannot be made."""
    try:
        return kind.processor(kind.side)
    except ImportError as error:
        reason = str(error).strip().split(". ")[0].splitlines()[0]
        raise SystemExit(f"no processor: {reason}") from error


def pair_rows(kind: Kind, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Two rows of text per example, each with an image."""
    made = []
    for n, example in enumerate(examples):
        picture = Image.new("RGB", (kind.side, kind.side), (40 * n % 256, 80, 120))
        prompt, chosen = text_of(example.prompt.input_ids.tolist()), text_of(example.chosen)
        made += [
            {"prompt": prompt, "chosen": chosen, "rejected": text_of(other), "images": [picture]}
            for other in (*example.rejected, *example.blind)
        ]
    return made


class KeptBatches:
    """TRL's own collator, asked once for the same pairs: like ours, it finds its images' tensors ready after the
    warm-up, so that no step is measured by the speed of a processor."""

    def __init__(self, collator: Any) -> None:
        self._collator = collator
        self._kept: dict[tuple[str, ...], Any] = {}

    def __call__(self, pairs: list[dict[str, Any]]) -> dict[str, Any]:
        key = tuple(pair[name] for pair in pairs for name in ("prompt", "chosen", "rejected"))
        if key not in self._kept:
            self._kept[key] = self._collator(pairs)
        return dict(self._kept[key])


def trl_collator(processor: Any) -> KeptBatches:
    """Of whole pairs, cut nowhere."""
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

    return KeptBatches(DataCollatorForVisionPreference(processor=processor, max_length=None))


def trl_trainer(
    model: Any, kind: Kind, examples: Sequence[Example], options: dict[str, Any], *, rows_together: int, watch: Any
) -> Any:
    """A DPOTrainer over the pairs of `examples`, in order; a model with an adapter is its own reference, any other gets
    a copy, as TRL makes one of a model that it loads itself."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    processor = processor_for(kind)
    arguments = DPOConfig(
        **options, per_device_train_batch_size=PAIRS * rows_together, max_length=None,
        train_sampling_strategy="sequential",
    )  # fmt: skip
    return DPOTrainer(
        model=model, ref_model=None if hasattr(model, "peft_config") else deepcopy(model).requires_grad_(False),
        args=arguments, train_dataset=Dataset.from_list(pair_rows(kind, examples)), processing_class=processor,
        data_collator=trl_collator(processor), callbacks=[watch],
    )  # fmt: skip


def trl_work(examples: Sequence[Example]) -> tuple[int, int]:
    """Tokens that one pass of the policy over `examples` reads, and its pairs of a query and a key, padded.

    Prompt 2, responses of 1, 1 and 2: 3 + 3 tokens and 3 + 4, so 13, and four sequences of width 4, so 4 * 16 = 64.
    """
    tokens = pairs = 0
    for example in examples:
        prompt = len(example.prompt.input_ids)
        for other in (*example.rejected, *example.blind):
            tokens += 2 * prompt + len(example.chosen) + len(other)
        pairs += 2 * PAIRS * (prompt + max(map(len, example.responses))) ** 2
    return tokens, pairs
