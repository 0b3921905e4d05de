"""Run forward passes outside the Trainer loop in the loop's own precision.

Under DeepSpeed that is not autocast: the engine casts the weights themselves (not the buffers), and accelerate leaves
autocast off. Norms and the sums between layers are then in half precision too, where autocast keeps float32. If policy
and reference used different ones, they would differ before the first step; so the reference does as the engine does.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import torch
from torch import nn
from transformers import TrainingArguments

TOLERANCE_NATS: Final = 1e-3
"""How far a token's log-probability may be off when it is computed in another way, in float32."""
HALF_NATS: Final = 0.1
"""The same where the cost of half precision cannot be measured: quantized weights, or no memory for float32 ones."""


def autocast_dtype(settings: TrainingArguments) -> torch.dtype | None:
    """The precision that `bf16` and `fp16` of the TrainingArguments ask for; None means that of the weights."""
    return torch.bfloat16 if settings.bf16 else torch.float16 if settings.fp16 else None


def autocast(settings: TrainingArguments) -> AbstractContextManager[Any]:
    """A context for one forward pass in that precision."""
    dtype = autocast_dtype(settings)
    return nullcontext() if dtype is None else torch.autocast(settings.device.type, dtype=dtype)


def weights_dtype(settings: TrainingArguments) -> torch.dtype | None:
    """The precision that the engine casts the weights to (DeepSpeed, under `bf16` and `fp16`); None if it does not."""
    return None if settings.deepspeed_plugin is None else autocast_dtype(settings)


def cast_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Cast the parameters in place, as DeepSpeed does; buffers (rotary frequencies) stay as they are."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


@contextmanager
def reference_precision(model: nn.Module, settings: TrainingArguments) -> Iterator[None]:
    """A context for forward passes of the reference `model` in the precision in which the policy will be trained.

    Under DeepSpeed the weights are cast inside and given back after, bit for bit; both copies are in memory meanwhile.
    """
    dtype = weights_dtype(settings)
    if dtype is None:
        with autocast(settings):
            yield
        return
    kept = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        cast_weights(model, dtype)
        yield
    finally:
        for parameter, data in kept:
            parameter.data = data
