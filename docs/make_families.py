"""Write docs/families.md: how far packed rows are from separate sequences, for every family. About half a minute."""

import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from tests.packing_difference import LENGTHS, leaking, measure, shifted, softmax_in_double, without_restart
from tests.tiny_families import FAMILIES
from transformers.utils import logging

import blindpo.models.vlm.attention

PAGE = Path(__file__).with_name("families.md")
ONLY_EAGER = ("PaliGemma 2",)
TOP = """# Packed rows against separate sequences, family by family

You want to know how far packed training is from separate sequences for a family of models: the table says it, for tiny
models. Your own model, in the table or not, is checked on your own rows before the first step.

Written by `make families`; do not edit. The same checks are tests: `tests/numeric/test_families.py`.

Each model is tiny and random, built from the family's own configuration classes, with weights scaled up so that
attention matters. One prompt has two images and responses of {lengths} tokens; torch {torch}, transformers
{transformers}, on a CPU. Each cell has two numbers: the largest difference of a token's log-probability, in nats, and
the largest difference of any gradient (every parameter's, vision tower included), as a share of the largest gradient.
The gradients are those of the BPO loss. `split` is sdpa as training uses it, with the prompt computed apart, without a
mask (`models/vlm/attention.py`).

| family | attention | checkpointing | float32: logp / gradient | float64: logp / gradient |
|---|---|---|---|---|
"""
MIDDLE = """
In the float64 columns, transformers still computes norms and rotary embeddings in float32. It would compute the softmax
of eager attention in float32 too; these columns compute it in float64 (otherwise eager differs by up to about 1e-6).

## What a fault would do

The same row with one thing broken on purpose: the largest difference of a token's log-probability, in nats. The tests
check that each is far above what is allowed.

| family | positions do not restart | responses see each other | first token predicted by its packed neighbour |
|---|---|---|---|
"""
BOTTOM = """
Not covered: FlashAttention 2 (it takes no mask of our own: load with `attn_implementation=sdpa`, or separate sequences
are used), flex attention (its backward pass does not run on a CPU), video, mixtures of experts.
"""


def cell(name: str, attention: str, *, checkpointing: bool, dtype: torch.dtype) -> str:
    """One measurement."""
    with softmax_in_double():
        difference = measure(name, attention=attention, checkpointing=checkpointing, dtype=dtype)
    return f"{difference.logp:.1e} / {difference.gradient:.1e}"


def main() -> None:
    """Measure everything and write the page."""
    blindpo.models.vlm.attention.LEAST_CAUSAL = 4  # the prompts here are short, and are to be split all the same
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    lengths = ", ".join(str(length) for length in LENGTHS[:-1]) + f" and {LENGTHS[-1]}"
    page = TOP.format(lengths=lengths, torch=version("torch"), transformers=version("transformers"))
    for name in FAMILIES:
        for attention in ("eager",) if name in ONLY_EAGER else ("sdpa", "split", "eager"):
            for checkpointing in (False, True):
                cells = [
                    cell(name, attention, checkpointing=checkpointing, dtype=dtype)
                    for dtype in (torch.float32, torch.float64)
                ]
                page += f"| {name} | {attention} | {'on' if checkpointing else 'off'} | {cells[0]} | {cells[1]} |\n"
    page += MIDDLE
    for name in FAMILIES:
        attention = "eager" if name in ONLY_EAGER else "sdpa"
        faults = [
            measure(name, attention=attention, change=change).logp for change in (without_restart, leaking, shifted)
        ]
        page += f"| {name} | {' | '.join(f'{fault:.2f}' for fault in faults)} |\n"
    PAGE.write_text(page + BOTTOM, encoding="utf-8")


if __name__ == "__main__":
    main()
