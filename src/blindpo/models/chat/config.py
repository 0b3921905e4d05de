"""What a chat model can be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from blindpo.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatConfig:
    """A model behind an OpenAI-compatible server, and how to ask it."""

    model: str
    """The name that the server knows it by."""
    base_url: str | None = None
    """The server, up to and with /v1; else $OPENAI_BASE_URL, else OpenAI's own."""
    key_env: str = "OPENAI_API_KEY"
    """The environment variable that holds the key."""
    temperature: float | None = 0.0
    """0 asks for the likeliest answer; null sends none, for models that take none."""
    top_p: float | None = None
    """Null sends none."""
    seed: int | None = None
    """Sent where given; few servers promise the same answer for it. The request's draw is added."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """The server's name for the length of an answer; OpenAI's newer models ask for the second."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request's body, such as a server's own options."""
    concurrency: int = 8
    """Requests in flight."""
    retries: int = 5
    """How often a request is sent again after a timeout, a lost connection, 408, 409, 429 or 5xx."""
    timeout_seconds: float = 120.0
    """How long one try may take."""
    give_up_after: int = 3
    """So many requests in a row that failed for the server's sake: it is down, and the rest is not asked."""
    budget_tokens: int | None = None
    """Tokens, prompt and answer together, that one run may spend; null is without limit."""

    def __post_init__(self) -> None:
        allowed = {
            "model": (bool(self.model.strip()), "the name of a model"),
            "temperature": (self.temperature is None or self.temperature >= 0, "0 or more, or null"),
            "top_p": (self.top_p is None or 0 < self.top_p <= 1, "above 0 and at most 1, or null"),
            "concurrency": (1 <= self.concurrency <= 1024, "1 to 1024"),
            "retries": (0 <= self.retries <= 100, "0 to 100"),
            "timeout_seconds": (0 < self.timeout_seconds < float("inf"), "a number of seconds above 0"),
            "give_up_after": (self.give_up_after >= 1, "1 or more"),
            "budget_tokens": (self.budget_tokens is None or self.budget_tokens >= 1, "1 or more, or null"),
        }
        for key, (fine, words) in allowed.items():
            if not fine:
                raise ConfigError(f"{key} is {getattr(self, key)}; allowed: {words}")

    def answer_keys(self) -> dict[str, Any]:
        """The options that change an answer; the server's address is one more, which the client knows."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "limit_field": self.limit_field,
            "extra": dict(self.extra),
        }
