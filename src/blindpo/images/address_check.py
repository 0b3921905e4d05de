"""Check which addresses may be connected to, on the very socket that is then used.

An image's address comes from somebody else's server, so it is not trusted: its host must be on the allow-list, https is
required, and no name may lead into a private network (server-side request forgery). The check is made at connection
time, after the name was resolved, so that a name that resolves differently a moment later gains nothing. Loopback is
allowed only for a base URL that the user gave: the local wiki of the tests. A slow server cannot hold us up: a whole
request has one deadline.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore2

from blindpo.errors import AnswerError

NAT64: Final = IPv6Address("64:ff9b::")
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """The numeric addresses of `host`, in the system's order."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


def is_public(address: str) -> bool:
    """Return whether `address` is on the public internet, also if an IPv6 address wraps an IPv4 one.

    >>> [is_public(a) for a in ("91.198.174.192", "172.16.0.1", "::ffff:127.0.0.1", "169.254.169.254")]
    [True, False, False, False]
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour
        if wrapped is None and int(ip) >> 32 == int(NAT64) >> 32:
            wrapped = IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = wrapped or ip
    return ip.is_global and not ip.is_multicast


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The rules for addresses. `hosts` are allowed with all their subdomains."""

    hosts: tuple[str, ...]
    bases: tuple[str, ...] = ()
    """URLs that the user gave: their hosts are allowed, even on loopback."""
    proxy: str = ""
    """URL of the user's own proxy, which may be at any address: it resolves the names of allowed hosts itself."""

    def require_allowed(self, url: str) -> None:
        """Raise AnswerError if `url` may not be requested; nothing is resolved yet."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise AnswerError("the address is no URL") from error
        if self._is_local_base(host, port):
            return
        if parts.scheme != "https" or parts.username is not None:
            raise AnswerError(f"the address at '{host}' is not a plain https one")
        own = {(urlsplit(base).hostname or "").lower() for base in self.bases}
        if host not in own and not any(host == name or host.endswith(f".{name}") for name in self.hosts):
            raise AnswerError(f"the host '{host}' is not on the allow-list (image_hosts)")
        if port not in (None, 443):
            raise AnswerError(f"the address at '{host}' has port {port}; only 443 is asked")

    def addresses(self, host: str, port: int, resolve: Resolve) -> list[str]:
        """Return the addresses of `host`. Raises AnswerError if any of them is private."""
        resolved = list(resolve(host, port))
        to_proxy = bool(self.proxy) and host == urlsplit(self.proxy).hostname
        if not to_proxy and not self._is_local_base(host.lower(), port):
            private = [address for address in resolved if not is_public(address)]
            if private:
                raise AnswerError(f"the host '{host}' leads to a private address, which is refused")
        return resolved

    @property
    def only_local(self) -> bool:
        """Whether all allowed servers are on this machine: then no proxy is used."""
        bases = [urlsplit(base) for base in self.bases]
        return bool(bases) and all(self._is_local_base(base.hostname or "", base.port) for base in bases)

    def _is_local_base(self, host: str, port: int | None) -> bool:
        bases = [urlsplit(base) for base in self.bases]
        return host in {"127.0.0.1", "::1", "localhost"} and any(
            (host, port or 80) == ((base.hostname or "").lower(), base.port or 80) and base.scheme == "http"
            for base in bases
        )


class GuardedBackend(httpcore2.NetworkBackend):
    """httpcore2's connections, made only to addresses that `guard` allows; `left()` returns the seconds left."""

    def __init__(self, guard: Guard, left: Callable[[], float], resolve: Resolve = resolve) -> None:
        self._guard = guard
        self._left = left
        self._resolve = resolve
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(  # type: ignore[override]  # httpcore2 passes all by name; four may be positional here
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        *, socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:  # fmt: skip
        """Connect to the first address that answers. Raises AnswerError and httpcore2's ConnectError."""
        try:
            addresses = self._guard.addresses(host, port, self._resolve)
        except OSError as error:
            raise httpcore2.ConnectError("the name cannot be resolved") from error
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in addresses:
            try:
                stream = self._backend.connect_tcp(
                    address, port, _shorter(timeout, self._left()), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            return _Timed(stream, self._left)
        raise failure


class _Timed(httpcore2.NetworkStream):
    """A connection whose every read, write and handshake also ends at the request's deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, left: Callable[[], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read at most `max_bytes`."""
        return self._stream.read(max_bytes, _shorter(timeout, self._left()))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of `buffer`."""
        self._stream.write(buffer, _shorter(timeout, self._left()))

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        """Return the same connection under TLS, for the requested host name."""
        stream = self._stream.start_tls(ssl_context, server_hostname, _shorter(timeout, self._left()))
        return _Timed(stream, self._left)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore2 asks about the socket."""
        return self._stream.get_extra_info(info)


def _shorter(timeout: float | None, left: float) -> float:
    """Return the shorter of two times, but never 0, which a socket takes for "do not wait"."""
    return max(0.001, left if timeout is None else min(timeout, left))
