"""Attention over a packed sequence, whose prompt, the longest part, is plainly causal and needs no mask.

A kernel told "causal" skips everything above the diagonal, half of the work; one given a mask does not. So queries up
to a position `c`, before which only causality matters, are computed without the mask over the keys up to `c`, and the
others with their part of the mask over all keys. The values are the same. Scaled dot product attention only.

transformers calls attention by its name in the config and passes our mask on unchanged; an attribute on the mask says
how far it is causal. If the attribute gets lost, all queries are computed with the mask. The rest of the mask is passed
as floats too: given booleans, every layer would build and keep its own copy.
"""

from typing import Any, Final

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

SDPA: Final = "sdpa"
SPLIT: Final = "blindpo_split"
LEAST_CAUSAL: Final = 128
"""Shorter prompts are not worth a second call."""
_CAUSAL: Final = "blindpo_causal_until"
_REST: Final = "blindpo_rest"


def mark_causal(mask: Tensor, until: int, *, dtype: torch.dtype) -> Tensor:
    """Mark that the first `until` queries of `mask` (True where a key is seen) see exactly the keys up to their own.

    `dtype` is that of the queries. Returns `mask`.
    """
    if until >= LEAST_CAUSAL:
        setattr(mask, _CAUSAL, until)
        unseen = ~mask[:, :, until:]
        setattr(mask, _REST, torch.zeros_like(unseen, dtype=dtype).masked_fill_(unseen, float("-inf")))
    return mask


def split_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, *mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Do the same as transformers' own function; query, key and value are (batch, heads, tokens, head size)."""
    attention_mask = mask[0] if mask else options.pop("attention_mask", None)
    until = getattr(attention_mask, _CAUSAL, 0)
    if attention_mask is None or not until or options.get("position_bias") is not None:
        whole: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return whole
    options.pop("is_causal", None)
    first, _ = sdpa_attention_forward(
        module, query[:, :, :until], key[:, :, :until], value[:, :, :until], None, is_causal=True, **options
    )
    others: Tensor = getattr(attention_mask, _REST)
    if others.dtype != query.dtype:  # happens under autocast
        others = attention_mask[:, :, until:]
    rest, _ = sdpa_attention_forward(module, query[:, :, until:], key, value, others, **options)
    return torch.cat([first, rest], dim=1), None


def use_attention(model: Any, name: str) -> None:
    """Let the language model of `model`, wrapped by PEFT or not, use the attention function `name` from now on."""
    AttentionInterface.register(SPLIT, split_attention)
    AttentionMaskInterface.register(SPLIT, sdpa_mask)  # for batches without a mask of ours
    model.config.get_text_config()._attn_implementation = name
