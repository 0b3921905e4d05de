"""Pack rows into one batch, and compute the log-probabilities of its responses in one forward pass.

The prompt with its images, nearly all of the cost, is computed once for all responses of a row. Log-probabilities and
gradients are exactly those of separate sequences (`tests/numeric/test_families.py`, docs/families.md).

Legend: N rows, S packed length, padded; M places whose logits are made, T response tokens, R responses, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import torch
import transformers.modeling_utils
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from blindpo.models.vlm.attention import mark_causal
from blindpo.models.vlm.logprobs import gather_logps, response_sums
from blindpo.models.vlm.prompt import PER_TOKEN, PromptInputs, stack_extras
from blindpo.training.packing.families import FULL_ATTENTION, SLIDING_ATTENTION, Family
from blindpo.training.packing.mask import NO_BLOCK, PAD_SEGMENT, PROMPT_SEGMENT, additive, visible
from blindpo.training.packing.segments import PackedRow

TAKES_MASKS: Final = hasattr(transformers.modeling_utils, "slice_logits_to_keep")
"""Newer transformers make logits of other places in each row; older ones of the same places in all rows."""


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """Packed rows as one rectangle. The names of tensors are those of `PackedRow`, with N before S."""

    ids_NS: Int[Tensor, "N S"]
    segment_NS: Int[Tensor, "N S"]
    place_NS: Int[Tensor, "N S"]
    block_NS: Int[Tensor, "N S"]
    position_NS: Int[Tensor, "*axes N S"]
    keep_NS: Bool[Tensor, "N S"]
    """The places whose logits are needed."""
    source_T: Int[Tensor, " T"]
    """Which kept place, counted over all rows, predicts the response token."""
    target_T: Int[Tensor, " T"]
    response_T: Int[Tensor, " T"]
    run_T: Int[Tensor, " T"]
    lengths_R: Int[Tensor, " R"]
    """Tokens of each response."""
    extras: dict[str, Tensor]
    causal_until: int = 0
    """Tokens at the start of all rows for which nothing but causality matters: prompt, and no block."""

    def tensors(self) -> dict[str, Any]:
        """Return the fields as a dict, for transformers' loop to move; `PackedBatch(**tensors)` is the way back."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def pack(
    rows: Sequence[PackedRow], prompts: Sequence[PromptInputs], order: Sequence[Sequence[int]], *, pad_id: int
) -> PackedBatch:
    """Rows padded on the right; `order[n][k]` is the number, in the batch, of row n's k-th response.

    The row of `pack_row`'s example beside the prompt [5] with the response [6], padded with 0:

        ids  7 8 1 2 3      segment  0 0  1  1  2      keep  . x x . .      source  1 2 1 | 0  ->  0 1 0 2
             5 6 0 0 0               0 1 -1 -1 -1            x . . . .      (kept places, numbered over the batch)
    """
    shape = (len(rows), max(len(row.ids_S) for row in rows))
    axes = rows[0].position_S.shape[:-1]
    ids_NS = torch.full(shape, pad_id)
    segment_NS, block_NS = torch.full(shape, PAD_SEGMENT), torch.full(shape, -1)
    place_NS, position_NS = torch.zeros(shape, dtype=torch.long), torch.zeros((*axes, *shape), dtype=torch.long)
    keep_NS = torch.zeros(shape, dtype=torch.bool)
    for n, row in enumerate(rows):
        size = len(row.ids_S)
        ids_NS[n, :size], segment_NS[n, :size] = row.ids_S, row.segment_S
        place_NS[n, :size], block_NS[n, :size] = row.place_S, row.block_S
        position_NS[..., n, :size] = row.position_S
        keep_NS[n, row.source_T] = True
    odd_NS = (segment_NS != PROMPT_SEGMENT) | (block_NS != NO_BLOCK)
    kept_NS = keep_NS.flatten().cumsum(0).view(shape) - 1
    response_T = torch.cat([torch.tensor(order[n], dtype=torch.long)[row.response_T] for n, row in enumerate(rows)])
    return PackedBatch(
        ids_NS, segment_NS, place_NS, block_NS, position_NS, keep_NS,
        source_T=torch.cat([kept_NS[n, row.source_T] for n, row in enumerate(rows)]),
        target_T=torch.cat([row.target_T for row in rows]),
        response_T=response_T,
        run_T=torch.cat([row.run_T for row in rows]),
        lengths_R=torch.bincount(response_T, minlength=sum(len(numbers) for numbers in order)),
        extras={name: stack_extras(prompts, name) for name in _image_extras(prompts)},
        causal_until=int((odd_NS.cumsum(1) == 0).sum(1).min()),
    )  # fmt: skip


def _image_extras(prompts: Sequence[PromptInputs]) -> list[str]:
    """Names of the tensors that belong to images; kinds of tokens went into blocks and positions already."""
    names = dict.fromkeys(name for prompt in prompts for name in prompt.extras)
    return [name for name in names if name not in PER_TOKEN]


def masks(batch: PackedBatch, family: Family, dtype: torch.dtype) -> Tensor | dict[str, Tensor]:
    """The model's `attention_mask`: (N, 1, S, S), or one for each kind of layer where there are two."""

    def made(window: int | None) -> Tensor:
        seen_NSS = visible(batch.segment_NS, batch.place_NS, batch.block_NS, window=window)
        if family.additive_mask:
            return additive(seen_NSS, dtype)[:, None]
        causal = batch.causal_until if window is None else min(batch.causal_until, window)
        return mark_causal(seen_NSS[:, None], causal, dtype=dtype)

    windows = {FULL_ATTENTION: None, SLIDING_ATTENTION: family.window}
    if family.one_mask or len(family.layer_kinds) == 1:
        return made(windows[family.layer_kinds[0]])
    return {kind: made(windows[kind]) for kind in family.layer_kinds}


def packed_token_logps(model: nn.Module, batch: PackedBatch, family: Family) -> Float[Tensor, " T"]:
    """One forward pass; the log-probability of each response token, in float32 at least. Gradients flow."""
    first = next(model.parameters())  # a DDP wrapper has parameters, but neither device nor dtype
    device, dtype = first.device, first.dtype
    moved = PackedBatch(**{name: _move(value, device, dtype) for name, value in batch.tensors().items()})
    inputs = {
        "input_ids": moved.ids_NS,
        "position_ids": moved.position_NS,
        "attention_mask": masks(moved, family, dtype),
        "use_cache": False,
        **moved.extras,
    }
    return gather_logps(_kept_logits(model, inputs, moved.keep_NS), moved.source_T, moved.target_T)


def packed_logps(model: nn.Module, batch: PackedBatch, family: Family) -> Float[Tensor, " R"]:
    """One forward pass; the summed log-probability of each response, in the order that `pack` was given."""
    logps_T = packed_token_logps(model, batch, family)
    device = logps_T.device
    return response_sums(
        logps_T, batch.response_T.to(device), batch.run_T.to(device), num_responses=len(batch.lengths_R)
    )


def _kept_logits(model: nn.Module, inputs: dict[str, Any], keep_NS: Bool[Tensor, "N S"]) -> Float[Tensor, "M V"]:
    """Logits of the kept places, row after row. The language model's head never sees another place.

    One row: an index that every version of transformers takes. Several: a mask where the version takes one, else all
    places that any row needs, of which each row keeps its own.
    """
    if len(keep_NS) > 1 and TAKES_MASKS:
        logits_MV: Tensor = model(**inputs, logits_to_keep=keep_NS).logits
        return logits_MV
    columns_U = keep_NS.any(0).nonzero()[:, 0]
    logits_NUV: Tensor = model(**inputs, logits_to_keep=columns_U).logits
    return logits_NUV[0] if len(keep_NS) == 1 else logits_NUV[keep_NS[:, columns_U]]


def _move(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(value, dict):
        return {name: _move(each, device, dtype) for name, each in value.items()}
    if not isinstance(value, Tensor):
        return value
    return value.to(device=device, dtype=dtype if value.is_floating_point() else None)
