"""The options of answering that blinding and evaluation share. No torch here."""

from dataclasses import dataclass
from typing import Any, Final

from blindpo.errors import ConfigError
from blindpo.jobs.settings import changed_keys, identity_of, option
from blindpo.models.chat.config import ServerConfig
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.padding import ImagePadding

GENERATION_KEYS: Final = ("max_new_tokens", "temperature", "top_p", "top_k", "batch_size", "dtype", "image_padding")
"""Options that only a model reads: recorded answers have no use for them."""


@dataclass(frozen=True, kw_only=True)
class AnswerConfig(GenerationConfig):
    """Generation's options, and those of the model that answers."""

    shard_rows: int = 64
    """How many rows are answered between two saves, 1 or more. A kill loses the work on one such shard at most."""
    dtype: str = "float32"
    """The type of a local model's weights: float32, bfloat16 or float16."""
    image_padding: ImagePadding = "as_saved"
    """How images are padded. square: to a square in the processor's mean colour, as LLaVA-1.5 does; none: not at all;
    as_saved: as the model's processor says."""
    model_server: ServerConfig = option(default_factory=ServerConfig, read_by=("chat",))
    """The server of a model chat:NAME."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard_rows < 1:
            raise ConfigError(f"shard_rows is {self.shard_rows}; allowed: 1 or more")
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ConfigError(f"dtype is {self.dtype}; allowed: float32, bfloat16, float16")

    def require_options(self, kind: str) -> None:
        """Raise ConfigError for an option that an answerer of this `kind` (chat, local, recorded) does not read."""
        idle = [] if kind == "chat" else changed_keys(self, "model_server")
        if idle:
            raise ConfigError(f"{idle[0]} has no effect; it is for a model chat:NAME")
        unread = [key for name in GENERATION_KEYS for key in changed_keys(self, name)] if kind == "recorded" else []
        if unread:
            raise ConfigError(f"{unread[0]} has no effect with --responses, which asks no model; leave it out")

    def identity(self) -> dict[str, Any]:
        """Return the keys that identify a run; options that change no answer may differ in the next try."""
        return identity_of(self)
