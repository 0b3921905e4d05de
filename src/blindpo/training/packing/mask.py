"""The mask of a packed sequence: each response sees its prompt and itself, never another response.

A packed row is [prompt][response 1][response 2]... in one sequence, but each response must be scored as if it alone
followed the prompt. Pure tensors here; what families need is in `families.py`.

Legend: N rows of a micro-batch, S packed length, padded; Q = S queries, K = S keys.
"""

from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PAD_SEGMENT: Final = -1
PROMPT_SEGMENT: Final = 0
NO_BLOCK: Final = -1


def visible(
    segment_NS: Int[Tensor, "N S"],
    place_NS: Int[Tensor, "N S"],
    block_NS: Int[Tensor, "N S"],
    *,
    window: int | None = None,
) -> Bool[Tensor, "N S S"]:
    """True where a query (row) sees a key (column).

    `segment_NS` is 0 in the prompt, k in the k-th response, -1 in padding; `place_NS` is the place that the token would
    have in a sequence of its own (prompt, then its response), in which the window is counted; tokens of one block
    (`block_NS`, -1: none) see each other both ways. Prompt a b, responses c d and e:

               a b c d e       place  0 1 2 3 2
        a      x . . . .       segment  0 0 1 1 2
        b      x x . . .
        c      x x x . .       with a window of 2, d sees c and d alone, and e, which is at place 2,
        d      x x x x .       sees b and e
        e      x x . . x

    A padding token sees itself alone: a row of the mask without any True would be undefined.
    """
    order_S = torch.arange(segment_NS.shape[1], device=segment_NS.device)
    segment_NQ1, segment_N1K = segment_NS[:, :, None], segment_NS[:, None, :]
    seen_NQK = (segment_N1K == PROMPT_SEGMENT) | (segment_N1K == segment_NQ1)
    forward_QK = order_S[None, :] <= order_S[:, None]
    same_block_NQK = (block_NS[:, :, None] == block_NS[:, None, :]) & (block_NS[:, :, None] != NO_BLOCK)
    seen_NQK = seen_NQK & (forward_QK | same_block_NQK)
    if window is not None:
        seen_NQK = seen_NQK & (place_NS[:, :, None] - place_NS[:, None, :] < window)
    padding_NQ1 = segment_NQ1 == PAD_SEGMENT
    return torch.where(padding_NQ1, torch.eye(len(order_S), dtype=torch.bool, device=order_S.device), seen_NQK)


def additive(visible_NQK: Bool[Tensor, "N Q K"], dtype: torch.dtype) -> Float[Tensor, "N Q K"]:
    """The same mask for eager attention, which adds it: 0 where True, -inf where False.

    Given as it is, a bool mask would be added as 0 and 1, without an error.
    """
    mask_NQK = torch.zeros(visible_NQK.shape, dtype=dtype, device=visible_NQK.device)
    return mask_NQK.masked_fill(~visible_NQK, float("-inf"))
