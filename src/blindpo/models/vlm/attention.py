"""Attention over a packed sequence: its prompt, most of it, is plainly causal, and needs no mask.

A kernel that is told "causal" leaves out what lies after the diagonal, half of all; one that is given a mask does not.
So the queries up to a place `c` before which nothing but causality matters are computed without the mask, over the keys
up to `c`, and the others with their part of it, over all keys. The same values; scaled dot product attention only.

transformers calls attention by a name that stands in the config, and passes our mask on as it is; how far a mask is
causal goes with it as an attribute. Where the attribute is lost on the way, all queries are computed with the mask.
So does the mask of the others as numbers: from True and False every layer would make, and keep, numbers of its own.
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
    """`mask`, True where a key is seen, with the note that its first `until` queries see exactly the keys up to their
    own; `dtype` is that of the queries."""
    if until >= LEAST_CAUSAL:
        setattr(mask, _CAUSAL, until)
        unseen = ~mask[:, :, until:]
        setattr(mask, _REST, torch.zeros_like(unseen, dtype=dtype).masked_fill_(unseen, float("-inf")))
    return mask


def split_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, *mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """As transformers' own function; queries, keys and values are (batch, heads, tokens, head size), `mask` is one."""
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
    if others.dtype != query.dtype:  # under autocast
        others = attention_mask[:, :, until:]
    rest, _ = sdpa_attention_forward(module, query[:, :, until:], key, value, others, **options)
    return torch.cat([first, rest], dim=1), None


def use_attention(model: Any, name: str) -> None:
    """Let the language model of `model`, a PEFT wrapper or not, call the attention function `name` from now on."""
    AttentionInterface.register(SPLIT, split_attention)
    AttentionMaskInterface.register(SPLIT, sdpa_mask)  # for batches that bring no mask of ours
    model.config.get_text_config()._attn_implementation = name
