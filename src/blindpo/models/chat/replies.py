"""Replies on disk by request key, so that no reply is paid for twice, and a kill loses no finished reply.

One file of JSON lines that only grows. A reply is written in one call and synced to the disk by the system; a line that
a kill cut short is skipped when the file is opened again. Memory holds only offsets into the file.
"""

import json
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, Final

from blindpo.errors import OutputError, SourceError
from blindpo.models.chat.interface import TextReply

HEAD: Final = b'{"key": "'
"""The beginning of every line."""


class ReplyStore:
    """The replies of one file; safe for the threads of one process, and for processes that append at the same time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises OutputError if that fails, SourceError if the file holds something else."""
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = path.open("ab", buffering=0)  # one system call per line: appended whole, or not at all
            self._reader: BinaryIO = path.open("rb")
        except OSError as error:
            raise OutputError(
                f"the store of replies {path} cannot be opened ({error.strerror}); give a file that can be written"
            ) from error
        self._offsets = self._index()

    def __len__(self) -> int:
        return len(self._offsets)

    def __contains__(self, key: str) -> bool:
        return key in self._offsets

    def _index(self) -> dict[str, int]:
        offsets: dict[str, int] = {}
        offset, line = 0, b""
        for line in self._reader:
            if not line.startswith(HEAD[: len(line)]):
                raise SourceError(f"{self.path} is not a store of replies; give another path for it")
            with suppress(ValueError):
                offsets[json.loads(line)["key"]] = offset
            offset += len(line)
        if line and not line.endswith(b"\n"):  # cut short by a kill: the next reply begins on a line of its own
            self._writer.write(b"\n")
        return offsets

    def get(self, key: str) -> TextReply | None:
        """Return the reply stored under `key`, or None."""
        with self._lock:
            if key not in self._offsets:
                return None
            self._reader.seek(self._offsets[key])
            return TextReply(**json.loads(self._reader.readline())["reply"])

    def put(self, key: str, reply: TextReply, *, raw: str) -> None:
        """Store a reply, and `raw`, the server's body unchanged."""
        line = json.dumps({"key": key, "reply": asdict(reply), "raw": raw}).encode() + b"\n"
        with self._lock:
            self._writer.write(line)
            self._offsets[key] = self._writer.tell() - len(line)  # correct even if another process wrote meanwhile

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
        self._reader.close()
