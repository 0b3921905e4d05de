"""The options of `blindpo blind`. No torch here: a recipe is checked before anything heavy is imported."""

from dataclasses import dataclass
from typing import Any

from blindpo.answer.config import AnswerConfig
from blindpo.errors import ConfigError
from blindpo.rows.view_names import BlindView


@dataclass(frozen=True, kw_only=True)
class BlindConfig(AnswerConfig):
    """How blind responses are made: sampled by default, under one view."""

    view: BlindView = "removed"
    """What the model is shown. removed: no image, as in the paper; blank: each image in its mean colour; noise: noise;
    swapped: images of other rows; as_is: the row as it is, as a control."""
    draws: int = 1
    """How many responses are drawn per row, 1 or more. More than one needs a temperature."""
    temperature: float = 1.0
    """0 takes the likeliest token each time (greedy); above 0 tokens are sampled at this temperature."""
    shard_rows: int = 32
    """How many rows are answered between two saves, 1 or more. A kill loses the work on one such shard at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws < 1:
            raise ConfigError("draws must be at least 1")
        if self.draws > 1 and self.temperature == 0.0:
            raise ConfigError("draws above 1 at temperature 0 are all the same; raise temperature")

    def identity(self) -> dict[str, Any]:
        """What tells runs apart; the address of a server is in the model's own identity."""
        return {key: value for key, value in super().identity().items() if key != "model_server"}
