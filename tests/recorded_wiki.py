"""Answers of the real local wiki, recorded and played back: the default suite needs no MediaWiki.

`tests/live/local_wiki.sh` makes the wiki; `recording` stands between it and the client and notes every answer, address
by address. The recording lies in tests/data/wiki/answers.json: text as text, images in base64, the wiki's own
address as @BASE@.
"""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import urlencode

import httpcore2

from tests.fake_server import Asked, FakeServer, reply, serving

RECORDING: Final = Path(__file__).parent / "data" / "wiki" / "answers.json"
KEPT_HEADERS: Final = ("content-type", "retry-after")


def _key(asked: Asked) -> str:
    return f"{asked.path}?{urlencode(sorted(asked.query.items()))}"


@contextmanager
def replaying() -> Iterator[FakeServer]:
    """A server that answers as the wiki did; what was not recorded is status 599, which no wiki gives."""
    recorded = json.loads(RECORDING.read_text(encoding="utf-8"))
    with serving() as server:

        def answer(asked: Asked, out: BinaryIO) -> None:
            found = recorded.get(_key(asked))
            if found is None:
                reply(b"not recorded: run the live tests with BLINDPO_RECORD=1", status=599)(asked, out)
                return
            text = found.get("text")
            body = base64.b64decode(found["base64"]) if text is None else text.replace("@BASE@", server.base).encode()
            headers = {name.replace("-", "_"): value for name, value in found["headers"].items()}
            reply(body, status=found["status"], **headers)(asked, out)

        server.otherwise = answer
        yield server


@contextmanager
def recording(wiki: str, notes: dict[str, object] | None = None) -> Iterator[FakeServer]:
    """A server before `wiki` that passes everything on, and notes the answers in `notes`."""
    noted = {} if notes is None else notes
    with serving() as server, httpcore2.ConnectionPool() as pool:

        def answer(asked: Asked, out: BinaryIO) -> None:
            target = f"{wiki}{asked.path}" + (f"?{urlencode(asked.query)}" if asked.query else "")
            host = server.base.removeprefix("http://")
            found = pool.request("GET", target, headers=[("Host", host), ("User-Agent", asked.headers["user-agent"])])
            headers = {name.decode().lower(): value.decode() for name, value in found.headers}
            kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
            noted[_key(asked)] = {"status": found.status, "headers": kept, **_body(found.content, server.base)}
            reply(found.content, status=found.status, **{k.replace("-", "_"): v for k, v in kept.items()})(asked, out)

        server.otherwise = answer
        yield server


def _body(content: bytes, base: str) -> dict[str, str]:
    try:
        return {"text": content.decode().replace(base, "@BASE@")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
