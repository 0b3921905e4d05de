"""Settings of the client for images: who asks, which hosts, how fast, and how much is downloaded."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import httpcore2

from blindpo.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchConfig:
    """Etiquette and limits of the client."""

    contact: str
    """Your own e-mail address or URL. It is sent to servers; Wikimedia requires it."""
    hosts: tuple[str, ...]
    """Hosts, with their subdomains, from which images are downloaded."""
    requests_per_minute: float = 180.0
    """Limit over all servers together. Wikimedia allows 200 to a client that says who runs it."""
    tries: int = 5
    """How often one request is tried while the server is down, slow or busy."""
    timeout_seconds: float = 30.0
    """Timeout of one connection, read or write."""
    deadline_seconds: float = 90.0
    """Limit for one whole request, however slowly its bytes arrive."""
    max_wait_seconds: float = 120.0
    """The longest wait that a server may ask for; if it asks for more, the run says so and stops."""
    proxy: Literal["none", "environment"] = "none"
    """Whether to use the environment's HTTPS_PROXY."""
    max_bytes: int = 10_000_000
    """Limit for one unpacked answer; the stream is stopped there."""

    def __post_init__(self) -> None:
        word = self.contact.strip()
        mail = "@" in word.strip("@") and not any(letter.isspace() for letter in word)
        if not (mail or word.startswith(("https://", "http://"))) or not word.isascii() or not word.isprintable():
            raise ConfigError(
                "contact is missing: servers must be able to reach you; give your own e-mail address "
                "or web page with --set contact=YOU@EXAMPLE.ORG (it is sent in the User-Agent and nowhere else)"
            )
        for key in ("requests_per_minute", "tries", "timeout_seconds", "deadline_seconds", "max_bytes"):
            if getattr(self, key) <= 0:
                raise ConfigError(f"{key} is {getattr(self, key)}; it must be above 0")

    @property
    def user_agent(self) -> str:
        """`name/version (contact) library/version`, as Wikimedia's policy requires."""
        return f"blindpo/{version('blindpo')} ({self.contact.strip()}) httpcore2/{httpcore2.__version__}"
