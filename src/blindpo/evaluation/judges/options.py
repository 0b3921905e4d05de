"""How a judge that is a model is asked; without effect, and so refused, where the judge is none."""

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from blindpo.errors import ConfigError

CHAT_ONLY: Final = (
    "judge_base_url",
    "judge_key_env",
    "judge_temperature",
    "judge_limit_field",
    "judge_concurrency",
    "judge_retries",
    "judge_timeout_seconds",
    "judge_budget_tokens",
)
OUR_PROMPT_ONLY: Final = ("judge_instructions",)
LOCAL_ONLY: Final = ("judge_dtype", "judge_batch_size")
GUARDS_ONLY: Final = ("judge_prompt_file", "judge_controversial")
MODELS_ONLY: Final = ("judge_max_tokens", "judge_allow_missing")
READERS: Final = (
    (CHAT_ONLY, ("chat", "served")),
    (OUR_PROMPT_ONLY, ("chat", "vlm")),
    (LOCAL_ONLY, ("hf", "vlm")),
    (GUARDS_ONLY, ("hf", "served")),
    (MODELS_ONLY, ("chat", "hf", "served", "vlm")),
)
"""Which options are read by which kinds of judges."""
CHANGE_NO_VERDICT: Final = (
    "judge_key_env",
    "judge_concurrency",
    "judge_retries",
    "judge_timeout_seconds",
    "judge_budget_tokens",
    "judge_batch_size",
    "judge_allow_missing",
)
"""They may be changed between a run that was stopped and the same command again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Of the judge alone."""

    judge_base_url: str | None = None
    """chat, served: the server, up to and with /v1; else $OPENAI_BASE_URL, else OpenAI's own."""
    judge_key_env: str = "OPENAI_API_KEY"
    """chat, served: the environment variable that holds the key."""
    judge_temperature: float | None = 0.0
    """chat, served: null sends none, for models that take none."""
    judge_max_tokens: int = 256
    """Of a verdict; models that think aloud need more."""
    judge_instructions: Literal["system", "user"] = "system"
    """chat, vlm: whose turn holds them; `user` for models whose chat template knows no system."""
    judge_limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """chat, served: the server's name for it."""
    judge_concurrency: int = 8
    """chat, served: requests in flight."""
    judge_retries: int = 5
    """chat, served: how often a request is sent again."""
    judge_timeout_seconds: float = 120.0
    """chat, served: how long one try may take."""
    judge_budget_tokens: int | None = None
    """chat, served: tokens that one run may spend; null is without limit."""
    judge_dtype: str = "float32"
    """hf, vlm: of the weights: float32, bfloat16 or float16."""
    judge_batch_size: int = 8
    """hf, vlm: verdicts made together; changes the speed alone."""
    judge_prompt_file: str | None = None
    """hf, served: the guard's own prompt, where its template holds none; {question} and {answer} are filled in."""
    judge_controversial: Literal["unsafe", "safe"] = "unsafe"
    """hf, served: what Qwen3Guard's third label counts as."""
    judge_allow_missing: bool = False
    """Finish although the judge could not be asked about some responses; then there are bounds, and no rate."""

    def require_effect(self, kinds: set[str]) -> None:
        """Raise ConfigError for an option that none of the judge's `kinds` (chat, served, vlm, hf, rules) reads."""
        for option in fields(JudgeOptions):
            readers = next(kinds_that_read for names, kinds_that_read in READERS if option.name in names)
            if getattr(self, option.name) != option.default and not kinds & set(readers):
                raise ConfigError(
                    f"{option.name} has no effect with this judge; it is read by: "
                    f"{', '.join(f'{kind}:' for kind in readers)}"
                )
        if self.judge_max_tokens < 1 or self.judge_batch_size < 1:
            raise ConfigError("judge_max_tokens and judge_batch_size must be 1 or more")

    def chat_settings(self) -> dict[str, Any]:
        """The options of a chat model, by its own names."""
        return {
            "base_url": self.judge_base_url,
            "key_env": self.judge_key_env,
            "temperature": self.judge_temperature,
            "limit_field": self.judge_limit_field,
            "concurrency": self.judge_concurrency,
            "retries": self.judge_retries,
            "timeout_seconds": self.judge_timeout_seconds,
            "budget_tokens": self.judge_budget_tokens,
        }
