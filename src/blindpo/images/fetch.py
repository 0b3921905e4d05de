"""Ask servers for look-ups and images: slowly, politely, within limits, and never twice for the same thing.

The only place that uses the network for images. Built on httpcore2, the transport under httpx2 (the maintained line of
httpx, which huggingface_hub brings along): its public network backend is the one place where an address can be checked
on the socket that is then used (`address_check.py`), and it never follows redirects, reads proxies or keeps cookies on
its own. Requests go one after the other. Rules: https://www.mediawiki.org/wiki/API:Etiquette and
https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit
from urllib.request import getproxies

import httpcore2

from blindpo.errors import AnswerError, ConfigError, FetchError, ImageError, ServerError
from blindpo.images.address_check import Guard, GuardedBackend, Resolve, resolve
from blindpo.images.cache import LookupCache, Stored
from blindpo.images.decode import ImageLimits, decode_image
from blindpo.images.fetch_config import FetchConfig
from blindpo.images.rate_limit import Time, TokenBucket, backoff, retry_after

GIVE_UP_AFTER: Final = 3
"""After this many requests in a row that failed, with all their tries, a server counts as down for this run."""
MAX_REDIRECTS: Final = 5
URL_LETTERS: Final = "%/:?#[]@!$&'()*+,;=~"
IMAGE_TYPES: Final = "image/*"
FILES: Final = "file"
"""The cache's source name for images; the key is the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """One complete answer: status, headers in lower case, body unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Deadline:
    """The deadline of the current request; shared with the connections."""

    time: Time
    end: float = 0.0

    def left(self) -> float:
        return self.end - self.time.now()


@dataclass(slots=True)
class Fetcher:
    """A client with one rate limit, one cache and one set of rules for all servers. Close it after use."""

    config: FetchConfig
    cache: LookupCache
    bases: tuple[str, ...] = ()
    """URLs that the user gave; see `Guard.bases`."""
    time: Time = field(default_factory=Time)
    resolve: Resolve = resolve
    asked: int = 0
    """Number of requests sent, including retries."""

    def __post_init__(self) -> None:
        guard = Guard(hosts=self.config.hosts, bases=self.bases)
        if self.config.proxy == "environment" and not guard.only_local:
            guard = replace(guard, proxy=getproxies().get("https", ""))
        self._guard = guard
        self._deadline = _Deadline(self.time)
        self._bucket = TokenBucket(self.config.requests_per_minute, burst=2, time=self.time)
        backend = GuardedBackend(self._guard, self._deadline.left, self.resolve)
        proxy = _proxy(guard.proxy) if guard.proxy else None
        self._pool = httpcore2.ConnectionPool(
            max_connections=4, keepalive_expiry=15, network_backend=backend, proxy=proxy
        )

    _failures: dict[str, list[str]] = field(init=False, default_factory=dict)
    """For each server, the reasons of its latest failures in a row."""
    _guard: Guard = field(init=False)
    _deadline: _Deadline = field(init=False)
    _bucket: TokenBucket = field(init=False)
    _pool: httpcore2.ConnectionPool = field(init=False)

    def close(self) -> None:
        """Close all connections, but not the cache, which belongs to its owner."""
        self._pool.close()

    def now(self) -> str:
        """Return the UTC time, as stored with answers."""
        return datetime.fromtimestamp(self.time.now(), UTC).isoformat(timespec="seconds")

    def json(
        self, url: str, parameters: Mapping[str, str], *, busy: Callable[[Any], str | None] = lambda _: None
    ) -> Any:
        """Return the JSON answer of `url`. `busy` returns a reason if the JSON says to ask again later.

        Raises ServerError and AnswerError. No message shows `parameters`: they may hold a key.
        """

        def read(response: HttpResponse) -> Any:
            try:
                content = json.loads(response.body)
            except (ValueError, RecursionError) as error:
                raise ServerError(f"{_server(url)} answered with something that is not JSON") from error
            reason = busy(content)
            if reason is not None:
                raise ServerError(f"{_server(url)} is busy ({reason})")
            return content

        return self._until_answered(f"{url}?{urlencode(parameters)}", read, accept="application/json")

    def image(self, url: str) -> Stored:
        """Return the image at `url`, from the cache if possible; decoded once to be sure that it is an image.

        The answer may be a miss (nothing there). Raises ServerError and AnswerError; the latter is stored as a fault.
        """
        known = self.cache.get(FILES, url)
        if known is not None and known.kind != "fault":
            return known
        try:
            response = self._until_answered(url, lambda response: _require_image(response, url), accept=IMAGE_TYPES)
            stored = Stored(
                kind="answer", value=response.headers.get("content-type"), body=response.body, time=self.now()
            )
        except AnswerError as error:
            stored = Stored(kind="miss" if error.gone else "fault", value=str(error), time=self.now())
            self.cache.put(FILES, {url: stored})
            if not error.gone:
                raise
            return stored
        self.cache.put(FILES, {url: stored})
        return stored

    def _until_answered(self, url: str, read: Callable[[HttpResponse], Any], *, accept: str) -> Any:
        """Return what `read` makes of the answer; a server that failed too often in a row is not asked any more."""
        server = _server(url)
        failed = self._failures.setdefault(server, [])
        if len(failed) >= GIVE_UP_AFTER:
            raise ServerError(f"{server} was given up after {len(failed)} failures in a row; the last: {failed[-1]}")
        try:
            result = self._with_patience(url, read, accept=accept)
        except FetchError as error:
            # a single image may be bad, but an API that refuses one question after the other refuses us
            if isinstance(error, ServerError) or accept != IMAGE_TYPES:
                failed.append(str(error))
            else:
                failed.clear()
            raise
        failed.clear()
        return result

    def _with_patience(self, url: str, read: Callable[[HttpResponse], Any], *, accept: str) -> Any:
        """Ask a server that is down or busy again after a wait."""
        for attempt in range(self.config.tries):
            wait: float | None = None
            try:
                response = self._follow(url, accept)
                wait = retry_after(response.headers, self.time.now())
                _require_ok(response, _server(url))
                return read(response)
            except ServerError as error:
                wait = backoff(attempt) if wait is None else wait
                last = attempt + 1 == self.config.tries
                if last or wait > self.config.max_wait_seconds:
                    asks = f", and asks to wait {wait:.0f} seconds" if wait > self.config.max_wait_seconds else ""
                    raise ServerError(f"{error} (tried {attempt + 1} times{asks})") from error
                self.time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _follow(self, url: str, accept: str) -> HttpResponse:
        """Return the answer at the end of the redirects; every step is checked against the rules."""
        for _ in range(MAX_REDIRECTS + 1):
            url = quote(url, safe=URL_LETTERS)  # servers send addresses with unquoted characters
            self._guard.require_allowed(url)
            self._bucket.take()
            response = self._send(url, accept)
            if response.status not in (301, 302, 303, 307, 308) or "location" not in response.headers:
                return response
            url = urljoin(url, response.headers["location"])
        raise AnswerError(f"{_server(url)} redirects more than {MAX_REDIRECTS} times")

    def _send(self, url: str, accept: str) -> HttpResponse:
        seconds = self.config.timeout_seconds
        self._deadline.end = self.time.now() + self.config.deadline_seconds
        self.asked += 1
        headers = [
            ("Host", urlsplit(url).netloc),
            ("User-Agent", self.config.user_agent),
            ("Accept", accept),
            ("Accept-Encoding", "gzip" if accept == "application/json" else "identity"),
        ]
        timeouts = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)}
        try:
            with self._pool.stream("GET", url, headers=headers, extensions=timeouts) as stream:
                known = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in stream.headers}
                body = _read(stream.iter_stream(), known, self.config.max_bytes, self._deadline.left)
                return HttpResponse(status=stream.status, headers=known, body=body)
        except (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol, ValueError) as error:
            raise AnswerError("the address is no URL that can be asked") from error
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise ServerError(f"{_server(url)} gave no whole answer ({reason})") from error


def _read(blocks: Iterable[bytes], headers: Mapping[str, str], max_bytes: int, left: Callable[[], float]) -> bytes:
    """Return the unpacked body. Raises an error at `max_bytes` and at the deadline."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise AnswerError(f"the answer has {length[:20]} bytes; allowed are {max_bytes}")
    packed = headers.get("content-encoding", "identity").lower() in {"gzip", "x-gzip"}
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if packed else None
    body = bytearray()
    for block in blocks:
        try:
            body += unpack.decompress(block, max_bytes + 1 - len(body)) if unpack else block
        except zlib.error as error:
            raise ServerError("the answer is packed wrongly") from error
        if len(body) > max_bytes:
            raise AnswerError(f"the answer has more than {max_bytes} bytes and was cut off")
        if left() <= 0:
            raise ServerError("the answer came too slowly and was cut off at the deadline")
    if unpack and not unpack.eof:
        raise ServerError("the packed answer was cut short")
    return bytes(body)


def _require_ok(response: HttpResponse, server: str) -> None:
    status = response.status
    if status == 429 or status >= 500:
        raise ServerError(f"{server} answered with status {status}")
    if status != 200:
        hint = "; does it know the contact, and allow this client?" if status in (401, 403) else ""
        raise AnswerError(f"{server} answered with status {status}{hint}", gone=status in (404, 410))


def _require_image(response: HttpResponse, url: str) -> HttpResponse:
    """Return `response` if its bytes are a whole image. Raises AnswerError with the reason."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("image/"):
        raise AnswerError(f"{_server(url)} answered with '{kind[:40]}' in place of an image")
    try:
        decode_image(response.body, ImageLimits(max_bytes=len(response.body) + 1))
    except ImageError as error:
        raise AnswerError(error.reason) from error
    return response


def _proxy(url: str) -> httpcore2.Proxy:
    """Return the environment's proxy; its user name and password go into a header of their own."""
    parts = urlsplit(url)
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    try:
        return httpcore2.Proxy(f"{parts.scheme}://{_server(url)}", auth=auth)
    except (ValueError, TypeError) as error:
        raise ConfigError("HTTPS_PROXY is not an address; write it as http://HOST:PORT") from error


def _server(url: str) -> str:
    """Return host and port of `url`: all that a message may show of it."""
    return urlsplit(url).netloc.rpartition("@")[2] or "?"
