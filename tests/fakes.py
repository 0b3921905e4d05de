"""A chat server on this machine that answers as it is told, or misbehaves: busy, HTML, empty, slow, dead after N.

    with FakeChatServer(lambda body: "safe") as server:
        ChatModel(ChatConfig(model="m", server=ServerConfig(base_url=server.base_url)))

`answer` gets the request's body and returns the answer's text, or a `Fault`, or a whole body as a dict.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = "<html><body>safe</body></html>"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Any other answer than a completion with HTTP 200."""

    status: int = 200
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False
    """Close the connection without an answer."""


BUSY = Fault(status=429, body="{}", headers={"Retry-After-Ms": "1"})
BROKEN = Fault(status=500, body="{}", headers={"Retry-After-Ms": "1"})
PAGE = Fault(body=HTML, content_type="text/html")
HANG_UP = Fault(hang_up=True)
Answer = Callable[[dict[str, Any]], "str | dict[str, Any] | Fault | None"]


def completion(text: str | None, *, finish: str = "stop", tokens: int | None = 10, **message: Any) -> dict[str, Any]:
    """A chat completion as OpenAI documents it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "fake-2026",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
        **(
            {}
            if tokens is None
            else {"usage": {"prompt_tokens": tokens - 1, "completion_tokens": 1, "total_tokens": tokens}}
        ),
    }


class FakeChatServer:
    """Serves POST /v1/chat/completions on 127.0.0.1; `requests` holds the bodies, `headers` what came with them."""

    def __init__(
        self, answer: Answer, *, port: int = 0, delay_seconds: float = 0.0, die_after: int | None = None
    ) -> None:
        self.answer = answer
        self.delay_seconds = delay_seconds
        self.die_after = die_after
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self.port = self._server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> "FakeChatServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Die: the port refuses connections from now on."""
        self._server.shutdown()
        self._server.server_close()

    def reply(self, body: dict[str, Any], headers: dict[str, str]) -> Fault:
        """What is sent back for one request."""
        with self._lock:
            if self.die_after is not None and len(self.requests) >= self.die_after:
                return HANG_UP
            self.requests.append(body)
            self.headers.append(headers)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            time.sleep(self.delay_seconds)
            found = self.answer(body)
        finally:
            with self._lock:
                self._at_once -= 1
        if isinstance(found, Fault):
            return found
        return Fault(body=json.dumps(found if isinstance(found, dict) else completion(found)))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


def _handler(fake: FakeChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or head and body wait 40 ms for each other

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = fake.reply(body, {name.lower(): value for name, value in self.headers.items()})
            if found.hang_up:
                self.close_connection = True
                return
            data = found.body.encode()
            self.send_response(found.status)
            for name, value in {"Content-Type": found.content_type, **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return Handler
