"""What the client for images can be told: who asks, whom, how fast, and how much is taken."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import httpcore2

from blindpo.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchConfig:
    """Manners and limits of the client."""

    contact: str
    """Who runs this: an e-mail address or a URL of your own. Servers are told; Wikimedia requires it."""
    hosts: tuple[str, ...]
    """Hosts, with all below them, from which images are taken."""
    requests_per_minute: float = 180.0
    """Over all servers together. Wikimedia allows 200 to a client that says who runs it."""
    tries: int = 5
    """How often one request is tried while the server is down, slow or busy."""
    timeout_seconds: float = 30.0
    """For one connection, read or write."""
    deadline_seconds: float = 90.0
    """For one request as a whole, however slowly its bytes drip."""
    max_wait_seconds: float = 120.0
    """The longest wait that is accepted when a server asks for one; if it asks for more, the run says so and stops."""
    proxy: Literal["none", "environment"] = "none"
    """Whether the environment's HTTPS_PROXY stands between."""
    max_bytes: int = 10_000_000
    """Of one answer, unpacked; more is cut off while it streams."""

    def __post_init__(self) -> None:
        word = self.contact.strip()
        mail = "@" in word.strip("@") and not any(letter.isspace() for letter in word)
        if not (mail or word.startswith(("https://", "http://"))) or not word.isascii() or not word.isprintable():
            raise ConfigError(
                "contact is missing: servers must be able to reach who runs this build; give your own e-mail address "
                "or web page with --set contact=YOU@EXAMPLE.ORG (it is sent in the User-Agent and nowhere else)"
            )
        for key in ("requests_per_minute", "tries", "timeout_seconds", "deadline_seconds", "max_bytes"):
            if getattr(self, key) <= 0:
                raise ConfigError(f"{key} is {getattr(self, key)}; it must be above 0")

    @property
    def user_agent(self) -> str:
        """`name/version (contact) library/version`, as Wikimedia's policy asks."""
        return f"blindpo/{version('blindpo')} ({self.contact.strip()}) httpcore2/{httpcore2.__version__}"
