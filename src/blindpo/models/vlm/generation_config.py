"""How answers are drawn: the options of generation, in one place for every command that has answers made.

No torch here: a recipe is checked before anything heavy is imported. No slots, so that a command's own configuration
may inherit from this one and from another.
"""

from dataclasses import dataclass
from typing import Final

from blindpo.errors import ConfigError

MAX_BATCH: Final = 1024


@dataclass(frozen=True, kw_only=True)
class GenerationConfig:
    """How answers are drawn."""

    max_new_tokens: int = 256
    """An answer that is longer is cut there, and marked."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Sample among the most likely tokens that hold this share of the probability; 1 is all."""
    top_k: int = 0
    """Sample among so many most likely tokens; 0 is all."""
    seed: int = 42
    """With row id and draw it fixes a sampled answer."""
    batch_size: int = 16
    """Prompts generated together; changes the speed alone."""

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
