"""Progress with an estimate of the time left, on standard error, so that standard output stays for results."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(total: int, what: str, *, done: int = 0) -> "Iterator[tqdm[None]]":
    """A progress bar over `total` pieces of `what`, `done` of them before; call `.update(n)` on it.

    Where standard error is no terminal, a line is written every ten seconds at most.
    """
    interval = 0.1 if sys.stderr.isatty() else 10.0
    with tqdm(total=total, initial=done, desc=what, file=sys.stderr, mininterval=interval, leave=False) as bar:
        yield bar
