"""The options of chat servers: one group of keys, the same for every command that talks to a server.

`ServerConfig` holds a user's options for a server (`judge_server.base_url`, `model_server.concurrency`, ...);
`ChatConfig` is one model behind it, with the command's own options for its requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from blindpo.errors import ConfigError
from blindpo.jobs.settings import option


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """An OpenAI-compatible server, and how it is asked."""

    base_url: str | None = None
    """The server's address, up to and with /v1. Without it $OPENAI_BASE_URL is asked, and without that OpenAI."""
    key_env: str = option("OPENAI_API_KEY", changes_result=False)
    """The name of the environment variable that holds the key. The key itself is written nowhere."""
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls the limit on an answer's length. OpenAI's newer models want max_completion_tokens."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of every request's body, such as options that this server alone has: {top_k: 20}."""
    concurrency: int = option(8, changes_result=False)
    """How many requests are in flight at once, from 1 to 1024."""
    retries: int = option(5, changes_result=False)
    """How often a request is sent again after a timeout, a lost connection, 408, 409, 429 or 5xx, from 0 to 100."""
    timeout_seconds: float = option(120.0, changes_result=False)
    """How many seconds one try may take. Above 0."""
    give_up_after: int = option(3, changes_result=False)
    """After this many requests in a row that failed because of the server, it counts as down and is asked no more."""
    budget_tokens: int | None = option(None, changes_result=False)
    """How many tokens, prompts and answers together, one run may spend. Without it there is no limit."""

    def __post_init__(self) -> None:
        allowed = {
            "concurrency": (1 <= self.concurrency <= 1024, "1 to 1024"),
            "retries": (0 <= self.retries <= 100, "0 to 100"),
            "timeout_seconds": (0 < self.timeout_seconds < float("inf"), "a number of seconds above 0"),
            "give_up_after": (self.give_up_after >= 1, "1 or more"),
            "budget_tokens": (self.budget_tokens is None or self.budget_tokens >= 1, "1 or more, or null"),
        }
        for key, (fine, words) in allowed.items():
            if not fine:
                raise ConfigError(f"{key} is {getattr(self, key)}; allowed: {words}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatConfig:
    """One model behind an OpenAI-compatible server, and how its answers are drawn."""

    model: str
    """The model's name on the server."""
    server: ServerConfig = field(default_factory=ServerConfig)
    """The server."""
    temperature: float | None = 0.0
    """0 asks for the likeliest answer; None sends no temperature, for models that take none."""
    top_p: float | None = None
    """Sampling threshold; None sends none."""
    seed: int | None = None
    """Sent if given; few servers guarantee the same answer for it. The request's draw is added."""

    def __post_init__(self) -> None:
        allowed = {
            "model": (bool(self.model.strip()), "the name of a model"),
            "temperature": (self.temperature is None or self.temperature >= 0, "0 or more, or null"),
            "top_p": (self.top_p is None or 0 < self.top_p <= 1, "above 0 and at most 1, or null"),
        }
        for key, (fine, words) in allowed.items():
            if not fine:
                raise ConfigError(f"{key} is {getattr(self, key)}; allowed: {words}")

    def answer_keys(self) -> dict[str, Any]:
        """Return the options that change an answer, except the server's address, which the client adds."""
        return {
            "model": self.model,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "limit_field": self.server.limit_field,
            "extra": dict(self.server.extra),
        }
