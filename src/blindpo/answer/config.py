"""Who answers and how, whichever command asks: what blinding and evaluation have in common. No torch here."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from blindpo.errors import ConfigError
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.padding import ImagePadding

CHANGE_NO_ANSWER: Final = (
    "model_key_env",
    "model_concurrency",
    "model_retries",
    "model_timeout_seconds",
    "model_budget_tokens",
)
"""They may be changed between a run that was stopped and the same command again."""


@dataclass(frozen=True, kw_only=True)
class AnswerConfig(GenerationConfig):
    """Generation's options, and those of the model that answers."""

    shard_rows: int = 64
    """Rows whose responses are stored together: a kill loses so many at most."""
    dtype: str = "float32"
    """Of a local model's weights: float32, bfloat16 or float16."""
    image_padding: ImagePadding = "as_saved"
    """square: images are padded to a square in the processor's mean colour (LLaVA-1.5); none; or as it was saved."""

    model_base_url: str | None = None
    """Of a model chat:NAME: the server, up to and with /v1; else $OPENAI_BASE_URL, else OpenAI's own."""
    model_key_env: str = "OPENAI_API_KEY"
    """Of a model chat:NAME: the environment variable that holds the key."""
    model_concurrency: int = 8
    """Of a model chat:NAME: requests in flight."""
    model_retries: int = 5
    """Of a model chat:NAME: how often a request is sent again."""
    model_timeout_seconds: float = 120.0
    """Of a model chat:NAME: how long one try may take."""
    model_budget_tokens: int | None = None
    """Of a model chat:NAME: tokens that one run may spend; null is without limit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard_rows < 1:
            raise ConfigError(f"shard_rows is {self.shard_rows}; allowed: 1 or more")
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ConfigError(f"dtype is {self.dtype}; allowed: float32, bfloat16, float16")

    def require_options(self, kind: str) -> None:
        """Raise ConfigError for a `model_` option that has no effect, since the model is no `chat:` one."""
        if kind == "chat":
            return
        for field in fields(self):
            if field.name.startswith("model_") and getattr(self, field.name) != field.default:
                raise ConfigError(f"{field.name} has no effect; it is for a model chat:NAME")

    def identity(self) -> dict[str, Any]:
        """What tells runs apart: options that change no answer may be chosen anew by the next try."""
        return {key: value for key, value in asdict(self).items() if key not in CHANGE_NO_ANSWER}
