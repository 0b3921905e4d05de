"""What a step costs by count: linear layers as torch counts them, attention by formula.

torch's counter does not see the CPU's attention kernel, so attention is added: 4 h per layer and pair of a query and a
key that the kernel computes, forward (two products of 2 h), and 2.5 times that backward, since scores are computed
again. A kernel that is given a mask computes every pair, one that is causal by itself about half of them. The vision
tower is frozen: forward alone, once a prompt that is encoded.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

FORWARD_AND_BACKWARD = 1 + 2.5


def attention_flops(pairs: float, *, layers: int, hidden: int, passes: float) -> float:
    """Of so many pairs. One layer of width 2, a masked sequence of 3 tokens (9 pairs), forward: 4 * 9 * 2 = 72."""
    return passes * layers * 4 * pairs * hidden


def separate_pairs(prompt: int, responses: Sequence[int]) -> float:
    """Of one row as separate sequences, padded to the longest and masked: prompt 2, responses 1 and 2: 2 * 16 = 32."""
    return len(responses) * (prompt + max(responses)) ** 2


def packed_pairs(prompt: int, responses: Sequence[int], *, split: bool) -> float:
    """Of one packed row under one mask, or `split`: the prompt causally, the responses' queries against all keys.

    Prompt 2, responses 1 and 2: 25 pairs, split 3 + 3 * 5 = 18.
    """
    extra = sum(responses)
    return prompt * (prompt + 1) / 2 + extra * (prompt + extra) if split else (prompt + extra) ** 2


def step_flops(model: Any, step: Callable[[], None], pairs: float, *, images: int) -> float:
    """Forward and backward of `step`: the language model computes `pairs`, the tower sees `images`."""
    text, vision = model.config.get_text_config(), model.config.vision_config
    with FlopCounterMode(display=False) as counter:
        step()
    places = (vision.image_size // vision.patch_size) ** 2 + 1
    seen = attention_flops(images * places**2, layers=vision.num_hidden_layers, hidden=vision.hidden_size, passes=1)
    return (
        counter.get_total_flops()
        + seen
        + attention_flops(pairs, layers=text.num_hidden_layers, hidden=text.hidden_size, passes=FORWARD_AND_BACKWARD)
    )
