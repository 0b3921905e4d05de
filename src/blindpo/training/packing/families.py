"""How model families differ for a packed sequence: layers, windows, blocks that see both ways, positions.

This is the only place. Everything is read from the model's own config and methods; tables here hold what no config says
(whose tokens see each other both ways, who counts positions from 1). What the tables miss, the check before the first
step finds (`training/preflight/packing_check.py`); training then takes separate sequences.

Legend: P prompt tokens.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from blindpo.errors import BlindpoError
from blindpo.models.vlm.attention import SDPA, SPLIT

FULL_ATTENTION: Final = "full_attention"
SLIDING_ATTENTION: Final = "sliding_attention"
BLOCKS: Final[dict[str, Literal["image", "prompt"]]] = {"gemma3": "image", "paligemma": "prompt"}
"""By `config.model_type`: whose image tokens, or whose whole prompt, see each other both ways."""
FIRST_POSITION: Final = {"paligemma": 1}
"""Families that do not count positions from 0."""
ONE_MASK: Final = ("paligemma",)
"""Families whose outer model takes one mask for all layers, even where the layers are of two kinds."""

RopeIndex = Callable[..., Any]


class CannotPackError(BlindpoError):
    """This model cannot be packed; the message is the reason, in plain words. The trainer catches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What packing needs to know about a model. It holds no weights, so it can go to data loader processes."""

    layer_kinds: tuple[str, ...] = (FULL_ATTENTION,)
    """The kinds of attention layers, each once."""
    window: int | None = None
    """Tokens that a sliding layer sees, its own included."""
    additive_mask: bool = False
    """Eager attention adds its mask (0 or -inf); the others take True where a key is seen."""
    one_mask: bool = False
    """All layers get one mask: two kinds of layers are exact only up to `window` tokens."""
    block: Literal["image", "prompt"] | None = None
    """Which prompt tokens see each other both ways."""
    first_position: int = 0
    rope_index: RopeIndex | None = field(default=None, repr=False)
    """The model's own rule for positions in three dimensions (M-RoPE), or None."""

    @property
    def longest(self) -> int | None:
        """The longest prompt with response that can be packed, or None where there is no limit."""
        return self.window if self.one_mask and len(self.layer_kinds) > 1 else None

    def positions(
        self, ids_P: Int[Tensor, " P"], extras: Mapping[str, Tensor]
    ) -> Int[Tensor, " P"] | Int[Tensor, "3 P"]:
        """Positions of a prompt's tokens, from the prompt alone; what follows goes on after the largest.

        A prompt of 4 text tokens: [0, 1, 2, 3]; of PaliGemma [1, 2, 3, 4]; of a model with M-RoPE that three times.
        """
        plain_P = torch.arange(len(ids_P)) + self.first_position
        if self.rope_index is None:
            return plain_P
        if not any(name.endswith("grid_thw") for name in extras):
            return plain_P.expand(3, -1)
        given = {"input_ids": ids_P[None], "attention_mask": torch.ones_like(ids_P[None]), **extras}
        known = inspect.signature(self.rope_index).parameters
        position_A1P: Tensor = self.rope_index(**{name: value for name, value in given.items() if name in known})[0]
        return position_A1P[:, 0]

    def blocks(self, ids_P: Int[Tensor, " P"], extras: Mapping[str, Tensor]) -> Int[Tensor, " P"]:
        """For each prompt token the number of the block whose tokens see each other both ways, or -1.

        Token types [0, 1, 1, 0, 1] of Gemma 3, where 1 is an image token: [-1, 0, 0, -1, 1].
        """
        types = extras.get("token_type_ids")
        if self.block is None or types is None:
            return torch.full_like(ids_P, -1)
        if self.block == "prompt":
            return torch.where(types[0] == 0, 0, -1)
        is_image_P = types[0] == 1
        starts_P = is_image_P & ~torch.nn.functional.pad(is_image_P, (1, 0))[:-1]
        return torch.where(is_image_P, starts_P.long().cumsum(0) - 1, -1)


def family_of(model: Any) -> Family:
    """What packing needs to know about `model`, a PEFT wrapper or not. Raises CannotPackError with the reason."""
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = whole.config
    text = config.get_text_config()
    attention = getattr(text, "_attn_implementation", None)
    if attention not in (SDPA, SPLIT, "eager"):
        raise CannotPackError(
            f"its attention is {attention}, which takes no mask of our own; load it with attn_implementation=sdpa"
        )
    window = getattr(text, "sliding_window", None)
    kinds = tuple(
        dict.fromkeys(getattr(text, "layer_types", None) or [FULL_ATTENTION if window is None else SLIDING_ATTENTION])
    )
    if odd := [kind for kind in kinds if kind not in (FULL_ATTENTION, SLIDING_ATTENTION)]:
        raise CannotPackError(f"it has layers of the kind {odd[0]}, which no mask can keep apart")
    inner = getattr(whole, "model", None)
    return Family(
        layer_kinds=kinds,
        window=window if SLIDING_ATTENTION in kinds else None,
        additive_mask=attention == "eager",
        one_mask=config.model_type in ONE_MASK,
        block=BLOCKS.get(config.model_type),
        first_position=FIRST_POSITION.get(config.model_type, 0),
        rope_index=_without_weights(inner).get_rope_index if hasattr(inner, "get_rope_index") else None,
    )


def _without_weights(module: Any) -> Any:
    """Make a module of the same class that holds the config only, which is all that the rule for positions needs."""
    kind: Any = type(module)
    shell = kind.__new__(kind)
    torch.nn.Module.__init__(shell)
    shell.config = module.config
    return shell
