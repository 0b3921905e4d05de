"""The options of `blindpo blind`. No torch here: a recipe is checked before anything heavy is imported."""

from dataclasses import dataclass
from typing import Any

from blindpo.answer.config import AnswerConfig
from blindpo.errors import ConfigError
from blindpo.rows.row import BlindMode


@dataclass(frozen=True, kw_only=True)
class BlindConfig(AnswerConfig):
    """How blind responses are made: sampled by default, under one view."""

    mode: BlindMode = "remove"
    """What the model sees: no image (the paper), a blank one, noise, another row's image, or the image ("sight")."""
    draws: int = 1
    """Responses per row; more than one needs a temperature."""
    temperature: float = 1.0
    """0 is greedy."""
    shard_rows: int = 32
    """Rows made between two saves; a kill loses one such shard at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws < 1:
            raise ConfigError("draws must be at least 1")
        if self.draws > 1 and self.temperature == 0.0:
            raise ConfigError("draws above 1 at temperature 0 are all the same; raise temperature")

    def identity(self) -> dict[str, Any]:
        """What tells runs apart; the address of a server is in the model's own identity."""
        return {key: value for key, value in super().identity().items() if key != "model_base_url"}
