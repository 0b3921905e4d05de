"""In which precision a forward pass runs outside of transformers' loop: the same as in it.

Under DeepSpeed that is not autocast: the engine casts the weights themselves, its buffers apart, and accelerate leaves
autocast off. Norms and the sums between layers are then in half precision too, where autocast keeps float32. A
reference in the one and a policy in the other would differ before the first step, so the reference follows.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


def autocast_dtype(settings: Any) -> torch.dtype | None:
    """What `bf16` and `fp16` of the TrainingArguments ask for; None computes in the weights' own precision."""
    return torch.bfloat16 if settings.bf16 else torch.float16 if settings.fp16 else None


def autocast(settings: Any) -> AbstractContextManager[Any]:
    """A context for one forward pass."""
    dtype = autocast_dtype(settings)
    return nullcontext() if dtype is None else torch.autocast(settings.device.type, dtype=dtype)


def weights_dtype(settings: Any) -> torch.dtype | None:
    """Into what the engine casts the weights themselves (DeepSpeed, under `bf16` and `fp16`); None: it does not."""
    return None if settings.deepspeed_plugin is None else autocast_dtype(settings)


def cast_weights(model: Any, dtype: torch.dtype) -> None:
    """Cast the parameters in place, as DeepSpeed does; buffers (rotary frequencies) stay as they are."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)


@contextmanager
def reference_precision(model: Any, settings: Any) -> Iterator[None]:
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
