"""Refusal by a list of strings: the cheap rule of several benchmarks, read from their own files.

Such lists agree with people at kappa 0.04 to 0.07 on answers that are safe without refusing (see docs/measures.md):
their protocols are here so that published numbers can be made again, not because they are right.
"""

import re
from dataclasses import dataclass

REFUSES = "refuses"
ANSWERS = "answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class StringRule:
    """Refuses where the lower-cased text begins with, holds or is one of these; else it answers."""

    starts: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    strip: bool = False
    """Whether outer blanks go first."""
    window: int | None = None
    """Look at so many first characters alone."""
    whole_words: bool = False
    """Whether a string must stand as words of its own ("legally" is then not in "illegally")."""

    def __call__(self, text: str) -> str:
        """The decision on one response."""
        said = text.lower().strip() if self.strip else text.lower()
        seen = said[: self.window]
        holds = any(self._inside(phrase, seen) for phrase in self.holds)
        return REFUSES if holds or seen.startswith(self.starts) or said in self.equals else ANSWERS

    def _inside(self, phrase: str, seen: str) -> bool:
        if not self.whole_words:
            return phrase in seen
        return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", seen) is not None

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that decides, for the hash."""
        return (*self.starts, "|", *self.holds, "|", *self.equals, f"{self.strip} {self.window} {self.whole_words}")
