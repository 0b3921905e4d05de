"""Kill -9 at a chosen moment, from inside: the process that runs this dies as if another had killed it."""

import os
import signal
from pathlib import Path


def die_at_rename(number: int, *, before: bool) -> None:
    """Let this process kill itself at its `number`-th rename, counted from 1."""
    rename = Path.replace
    calls = 0

    def counted(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == number and before:
            os.kill(os.getpid(), signal.SIGKILL)
        moved = rename(self, target)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return moved

    Path.replace = counted  # type: ignore[method-assign]
