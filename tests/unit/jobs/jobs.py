"""Jobs for the tests of engines: worker processes import them by name, which they cannot a test module's."""

import os
import signal
from pathlib import Path

from blindpo.errors import RowError


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
