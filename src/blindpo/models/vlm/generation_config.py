"""The options of generation, in one place for every command that generates answers.

No torch here: a recipe is checked before anything heavy is imported. No slots, so that a command's own configuration
may inherit from this one and from another.
"""

from dataclasses import dataclass
from typing import Final

from blindpo.errors import ConfigError

MAX_BATCH: Final = 1024


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """The options for drawing answers."""

    max_new_tokens: int = 256
    """The most tokens of an answer, 1 or more. A longer answer is cut there, and marked as cut."""
    temperature: float = 0.0
    """0 takes the likeliest token each time (greedy); above 0 tokens are sampled at this temperature."""
    top_p: float = 1.0
    """Sample among the likeliest tokens that together hold this share of the probability. Above 0; 1 means all."""
    top_k: int = 0
    """Sample among this many of the likeliest tokens. 0 means all."""
    seed: int = 42
    """Fixes a sampled answer, together with the row's id and the number of the draw."""
    batch_size: int = 16
    """How many prompts are answered together, from 1 to 1024. It changes the speed alone."""

    def __post_init__(self) -> None:
        allowed: dict[str, tuple[bool, str]] = {
            "max_new_tokens": (self.max_new_tokens >= 1, "at least 1"),
            "temperature": (0.0 <= self.temperature < float("inf"), "0 (greedy) or more"),
            "top_p": (0.0 < self.top_p <= 1.0, "above 0 and at most 1"),
            "top_k": (self.top_k >= 0, "0 (all tokens) or more"),
            "batch_size": (1 <= self.batch_size <= MAX_BATCH, f"1 to {MAX_BATCH}"),
        }
        for key, (fine, words) in allowed.items():
            if not fine:
                raise ConfigError(f"{key} is {getattr(self, key)}; allowed: {words}")
        if self.temperature == 0.0 and (self.top_p != 1.0 or self.top_k != 0):
            raise ConfigError("top_p and top_k have no effect at temperature 0; leave them out, or raise temperature")
