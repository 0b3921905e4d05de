"""Show progress and the estimated time left on standard error, so that standard output is only for results."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress(total: int, what: str, *, done: int = 0) -> "Iterator[tqdm[None]]":
    """Yield a progress bar over `total` pieces of `what`, `done` of them done before; call `.update(n)` on it.

    If standard error is not a terminal, at most one line is written every ten seconds.
    """
    interval = 0.1 if sys.stderr.isatty() else 10.0
    with tqdm(total=total, initial=done, desc=what, file=sys.stderr, mininterval=interval, leave=False) as bar:
        yield bar
