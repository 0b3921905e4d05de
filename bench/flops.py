"""What a step costs by count: linear layers as torch counts them, attention by formula.

torch's counter does not see the CPU's attention kernel, so attention is added: a kernel that is given a mask computes
the whole rectangle, 4 L^2 h per layer and sequence of length L forward (two products of 2 L^2 h), and 2.5 times that
backward, since scores are computed again. The vision tower is frozen: forward alone, once a prompt that is encoded.
"""

from collections.abc import Callable, Sequence
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

FORWARD_AND_BACKWARD = 1 + 2.5


def attention_flops(lengths: Sequence[int], *, layers: int, hidden: int, passes: float) -> float:
    """Of sequences of `lengths`. One layer of width 2, one sequence of 3 tokens, forward: 4 * 9 * 2 = 72."""
    return passes * layers * sum(4 * length**2 * hidden for length in lengths)


def step_flops(model: Any, step: Callable[[], None], lengths: Sequence[int], *, images: int) -> float:
    """Forward and backward of `step`: the language model sees sequences of `lengths`, the tower `images`."""
    text, vision = model.config.get_text_config(), model.config.vision_config
    with FlopCounterMode(display=False) as counter:
        step()
    places = (vision.image_size // vision.patch_size) ** 2 + 1
    seen = attention_flops([places] * images, layers=vision.num_hidden_layers, hidden=vision.hidden_size, passes=1)
    return (
        counter.get_total_flops()
        + seen
        + attention_flops(lengths, layers=text.num_hidden_layers, hidden=text.hidden_size, passes=FORWARD_AND_BACKWARD)
    )
