"""A web server on 127.0.0.1 that misbehaves on purpose: each path has a reply that is written by hand."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import BinaryIO
from urllib.parse import parse_qsl, urlsplit

Reply = Callable[["Asked", BinaryIO], None]


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class FakeServer:
    """`replies` by path; a list of replies is used up one by one, its last one stays."""

    replies: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    base: str = ""
    otherwise: Reply | None = None
    """What paths without replies answer; None is status 404."""

    def on(self, path: str, *replies: Reply) -> str:
        """Set what `path` answers; returns its URL."""
        self.replies[path] = list(replies)
        return self.base + path

    def paths(self) -> list[str]:
        """The paths that were asked, in order."""
        return [asked.path for asked in self.asked]


def reply(body: bytes = b"", *, status: int = 200, kind: str = "image/png", **headers: str) -> Reply:
    """A whole answer; `headers` override, with `_` for `-`, and an empty value leaves one out."""
    lines = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    lines.update({name.replace("_", "-"): value for name, value in headers.items()})
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return lambda _asked, out: out.write(head.encode("latin-1") + b"\r\n" + body) and None


def redirect(to: str) -> Reply:
    """Status 302 to another address."""
    return reply(status=302, location=to)


@contextmanager
def serving() -> Iterator[FakeServer]:
    """A server on a free port of 127.0.0.1; unknown paths are 404."""
    server = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(parts.path, dict(parse_qsl(parts.query)), headers)
            server.asked.append(asked)
            replies = server.replies.get(parts.path) or [server.otherwise or reply(b"no", status=404)]
            answer = replies.pop(0) if len(replies) > 1 else replies[0]
            self.close_connection = True
            try:
                answer(asked, self.wfile)
            except OSError:  # the client hung up, as it should
                return

        def do_CONNECT(self) -> None:
            """As a proxy: note who is asked for, agree, and hang up."""
            server.asked.append(Asked(self.path, {}, {name.lower(): value for name, value in self.headers.items()}))
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        web.daemon_threads = True
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        server.base = f"http://127.0.0.1:{web.server_address[1]}"
        try:
            yield server
        finally:
            web.shutdown()
