"""Check before the first step that the model gives a packed row the log-probabilities of separate sequences.

A model that ignores the mask, loses a window or misplaces a position does not fail: it trains on something else. All
such faults that were observed move a token by 0.3 nats or more (tests/numeric/test_families.py makes them on purpose).
So the shortest and the longest row of each kind in the data are computed both ways; a lost window, or a fault of
attention in two parts, shows in a long row only. If an adapter will be trained, one that is not zero is on. In bfloat16
both ways are inexact, so their difference is compared with what bfloat16 costs the separate sequences. If they differ,
or if no mask can keep responses apart in some layer, training takes separate sequences and says so.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import TrainingArguments

from blindpo.errors import ModelError
from blindpo.models.vlm.adapters import add_lora
from blindpo.models.vlm.attention import SDPA, SPLIT, use_attention
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example, ImageTensors
from blindpo.training.packing.families import CannotPackError, Family, family_of
from blindpo.training.precision import HALF_NATS, TOLERANCE_NATS, autocast, autocast_dtype

TIMES_HALF: Final = 2.0
"""A packed row may be off from the separate one by this many times what half precision costs the separate one."""
ADAPTER_STD: Final = 0.02
SEED: Final = 20250319

FOREIGN_ERRORS: Final = (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError, NotImplementedError)
"""What model code raises on masks, positions or places that it does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChoice:
    """Whether rows are packed; `family` is None for separate sequences."""

    family: Family | None
    asked: str
    reason: str = ""
    """Why sequences are separate."""
    checked: dict[str, float] = field(default_factory=dict)
    """The largest difference of a token's log-probability, in nats, by the kind of row."""

    @property
    def record(self) -> dict[str, Any]:
        """The entry in run.json."""
        path = "separate" if self.family is None else "packed"
        return {"asked": self.asked, "path": path, "reason": self.reason, "largest_difference_nats": self.checked}


def kind_of(example: Example) -> str:
    """text-only, one image or several images."""
    return ("text-only", "one image", "several images")[min(len(example.image_key), 2)]


def extremes_of_each_kind(examples: Sequence[Example]) -> list[Example]:
    """The shortest row, the one with the longest sequence and the one with the longest prompt of each kind in the data;
    each row once."""
    extremes: dict[int, Example] = {}
    kinds = dict.fromkeys(kind_of(example) for example in examples)
    for kind in kinds:
        same = [example for example in examples if kind_of(example) == kind]
        shortest = min(same, key=lambda each: each.packed_tokens)
        longest = max(same, key=lambda each: each.longest_tokens)
        for example in (shortest, longest, max(same, key=lambda each: len(each.prompt.input_ids))):
            extremes[id(example)] = example
    return list(extremes.values())


def choose_path(
    config: TrainConfig,
    model: nn.Module,
    examples: Sequence[Example],
    *,
    images: ImageTensors,
    pad_id: int,
    settings: TrainingArguments,
) -> PathChoice:
    """Check and choose. If it is not what was asked for, a message on standard error says so.

    Raises ModelError under packing=on where the model cannot be packed.
    """
    if config.packing == "off":
        return PathChoice(family=None, asked="off", reason="packing=off")
    try:
        family = family_of(model)
        _require_fit(family, examples)
        packed = Collator(images, pad_id=pad_id, family=family)
        plain = Collator(images, pad_id=pad_id)
        with _moved_adapter(model, config) as tried, torch.no_grad():
            checked = _checked(tried, examples, packed=packed, plain=plain, settings=settings)
        return PathChoice(family=family, asked=config.packing, checked=checked)
    except CannotPackError as error:
        reason = str(error)
    if config.packing == "on":
        raise ModelError(f"packing=on, but this model cannot be packed: {reason}. Leave packing out, or set it to off")
    if settings.process_index == 0:
        sys.stderr.write(
            f"\nATTENTION: rows are NOT packed: {reason}.\nTraining takes separate sequences: the same loss and "
            "gradients, but about 2 to 3 times the time and more memory.\n\n"
        )
    return PathChoice(family=None, asked=config.packing, reason=reason)


def _require_fit(family: Family, examples: Sequence[Example]) -> None:
    longest = max(example.longest_tokens for example in examples)
    if family.longest is not None and longest > family.longest:
        raise CannotPackError(
            f"a row of {longest} tokens is longer than the model's attention window of {family.longest}, and this "
            "family takes one mask for all its layers"
        )


def _checked(
    model: nn.Module, examples: Sequence[Example], *, packed: Collator, plain: Collator, settings: TrainingArguments
) -> dict[str, float]:
    """The differences by kind of row, with attention in two parts if the model allows it, else in one."""

    def differences() -> dict[str, float]:
        by_kind: dict[str, float] = {}
        for example in extremes_of_each_kind(examples):
            off = _difference(model, example, packed=packed, plain=plain, settings=settings)
            by_kind[kind_of(example)] = max(off, by_kind.get(kind_of(example), 0.0))
        return by_kind

    if packed.family is None or packed.family.additive_mask:
        return differences()
    try:
        use_attention(model, SPLIT)
        return differences()
    except CannotPackError:
        use_attention(model, SDPA)
        return differences()


def _difference(
    model: nn.Module, example: Example, *, packed: Collator, plain: Collator, settings: TrainingArguments
) -> float:
    """The largest difference of a token's log-probability. Raises CannotPackError where it is too large."""
    kind = kind_of(example)
    try:
        with autocast(settings):
            packed_T = _token_logps(packed, model, example)
    except torch.OutOfMemoryError:
        raise  # separate sequences need more
    except FOREIGN_ERRORS as error:
        raise CannotPackError(f"a packed {kind} row fails in the model ({type(error).__name__})") from error
    with autocast(settings):
        plain_T = _token_logps(plain, model, example)
    off = float((packed_T - plain_T).abs().max())
    allowed = _allowed(model, plain, example, plain_T, settings=settings)
    if not off <= allowed:
        raise CannotPackError(
            f"a {kind} row's log-probabilities differ by {off:.3g} nats a token from those of separate sequences; "
            f"{allowed:.3g} are allowed"
        )
    return off


def _token_logps(collator: Collator, model: nn.Module, example: Example) -> Tensor:
    """Separate sequences one at a time: the longest row must not need more memory here than in training."""
    responses = example.responses
    groups = [[response] for response in responses] if collator.family is None else [responses]
    return torch.cat([collator.token_logps(model, collator.scored([(example, each)])) for each in groups])


def _allowed(
    model: nn.Module, plain: Collator, example: Example, plain_T: Tensor, *, settings: TrainingArguments
) -> float:
    """How large a difference may be in this precision."""
    dtypes = {parameter.dtype for parameter in model.parameters()}
    full = dtypes <= {torch.float32, torch.float64}
    if full and autocast_dtype(settings) is None:
        return TOLERANCE_NATS
    if getattr(model, "is_quantized", False) or not dtypes <= {torch.float32, torch.bfloat16, torch.float16}:
        return HALF_NATS
    if not full and not _has_memory_for_float32(model):
        return HALF_NATS
    with nullcontext() if full else _in_float32(model):
        exact_T = _token_logps(plain, model, example)
    return max(TOLERANCE_NATS, TIMES_HALF * float((plain_T - exact_T).abs().max()))


def _has_memory_for_float32(model: nn.Module) -> bool:
    device = next(model.parameters()).device
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return bool(free > 2 * sum(parameter.nbytes for parameter in model.parameters()))


@contextmanager
def _in_float32(model: nn.Module) -> Iterator[None]:
    """Hold every half-precision tensor of the model in float32 inside; the way there and back loses nothing."""
    tensors = [*model.parameters(), *model.buffers()]
    dtypes = [tensor.dtype for tensor in tensors]
    for tensor in tensors:
        if tensor.is_floating_point():
            tensor.data = tensor.data.float()
    try:
        yield
    finally:
        for tensor, dtype in zip(tensors, dtypes, strict=True):
            tensor.data = tensor.data.to(dtype)


@contextmanager
def _moved_adapter(model: nn.Module, config: TrainConfig) -> Iterator[Any]:
    """Give the model an adapter that is not zero, as it will be after some steps, and take it off again."""
    if not config.lora:
        yield model
        return
    with torch.random.fork_rng():  # a run records what the check measures, so it must not depend on draws before it
        torch.manual_seed(SEED)
        wrapped = add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.copy_(ADAPTER_STD * torch.randn(parameter.shape, generator=generator))
    try:
        yield wrapped.eval()
    finally:
        wrapped.unload()
