"""Jobs for the tests of engines: worker processes import them by name, which they cannot a test module's."""

import os
import signal
import time
from pathlib import Path

from blindpo.errors import RowError, UnansweredError


class Touch:
    """Leaves a file for each number, with the process that made it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, number: int) -> int:
        (self.folder / str(number)).write_text(str(os.getpid()))
        return number


class Fail(Touch):
    """Fails at number 3."""

    def __call__(self, number: int) -> int:
        if number == 3:
            raise RowError("the third is bad", row_id="3", field="x")
        return super().__call__(number)


class Die(Touch):
    """Is killed at number 3, as by the kernel for want of memory."""

    def __call__(self, number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(number)


class Logged:
    """A shard is one file; every making of a shard is noted in a log that only grows."""

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.folder = folder
        self.seconds = seconds

    def files(self, number: int) -> list[Path]:
        return [self.folder / f"shard-{number}"]

    def __call__(self, number: int) -> None:
        with (self.folder / "log").open("a") as log:
            log.write(f"{number}\n")
        time.sleep(self.seconds)
        self.files(number)[0].touch()


class Unanswered(Logged):
    """Its server does not answer shard 1."""

    def __call__(self, number: int) -> None:
        if number == 1:
            raise UnansweredError("the server is down")
        super().__call__(number)


def made_numbers(folder: Path) -> list[int]:
    """The log of `Logged`."""
    return [int(line) for line in (folder / "log").read_text().split()]
