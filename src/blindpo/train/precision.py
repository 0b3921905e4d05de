"""In which precision a forward pass runs outside of transformers' loop: the same as in it."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def autocast_dtype(settings: Any) -> torch.dtype | None:
    """What `bf16` and `fp16` of the TrainingArguments ask for; None computes in the weights' own precision."""
    return torch.bfloat16 if settings.bf16 else torch.float16 if settings.fp16 else None


def autocast(settings: Any) -> AbstractContextManager[Any]:
    """A context for one forward pass."""
    dtype = autocast_dtype(settings)
    return nullcontext() if dtype is None else torch.autocast(settings.device.type, dtype=dtype)
