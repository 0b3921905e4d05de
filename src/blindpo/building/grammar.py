"""Replace a name in a sentence by a phrase, and mend the words around it: determiners, number, capitals.

    "I met a Parisian"    + "the person in the image"    "I met the person in the image"
    "my Walkman broke"    + "the object in the image"    "my object in the image broke"
    "Paris is big."       + "the place in the image"     "The place in the image is big."

Pure functions of text. The released `mid_prompt` mends nothing: 60 of its 275 rows read "a the ..." or "my the ...".
"""

import re
from functools import lru_cache
from typing import Final

from blindpo.building.words import ARTICLES, DEMONSTRATIVES, POSSESSIVES, QUANTIFIERS
from blindpo.images.names import fold, name_key

_NUMBERS: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ADJECTIVES: Final = """
    average bad beautiful best big black christian dead dirty drunk evil famous fat female first foreign former good
    great illegal innocent last late legal little lazy local male modern native new old ordinary poor popular real rich
    same sexy single small stupid tall true typical ugly white whole wealthy worst young
    """.split()  # noqa: SIM905 - one word per line would be fifty lines
_BEFORE: Final = re.compile(r"(?:(?P<adjective>[A-Za-z]+)\s+)?$")
_DETERMINER: Final = re.compile(r"(?<![\w'\u2019])(?P<word>[A-Za-z]+)\s+$")
_ARE: Final = re.compile(r"\s+(?:are|were|have|do|don['\u2019]t|aren['\u2019]t|weren['\u2019]t)\b", re.IGNORECASE)
_FIXED: Final = (*POSSESSIVES, *DEMONSTRATIVES, *QUANTIFIERS, *_NUMBERS)
_MANY: Final = ("these", "those", "all", "many", "most", "few", "several", "other", *_NUMBERS)
_WINDOW: Final = 120
"""Characters searched before a name: patterns anchored at its start are slow on long texts."""
_OPENING: Final = re.compile(r"(?:^|[.!?]['\"\u2019\u201d)]*\s+|\n\s*)['\"\u2018\u201c(]*$")


def is_plural(text: str, start: int, end: int) -> bool:
    """Return whether the name from `start` up to `end` is plural, by the words around it.

    >>> is_plural("Are all Parisians so?", 8, 17), is_plural("Paris is big", 0, 5)
    (True, False)
    """
    before_it = text[max(0, start - _WINDOW) : start]
    before = _DETERMINER.search(before_it)
    if before and before["word"].lower() in _MANY:
        return True
    ends_in_s = text[start:end].endswith("s") and not text[start:end].endswith(("ss", "us", "is"))
    verb_before = re.search(r"(?:^|[.!?]\s+|\s)(?:are|were|do)\s+(?:the\s+)?$", before_it, re.IGNORECASE)
    return ends_in_s and bool(_ARE.match(text, end) or verb_before)


def put(text: str, start: int, end: int, phrase: str) -> str:
    """Return `text` with `phrase` ("the ...") in place of `start` up to `end`, its surroundings mended."""
    dropped, wording = _wording(text, start, phrase)
    return text[: start - dropped] + wording + text[end:]


def _wording(text: str, start: int, phrase: str) -> tuple[int, str]:
    """Return how many characters before `start` to drop (an article), and the wording to put there."""
    before = text[max(0, start - _WINDOW) : start]
    bare = phrase.removeprefix("the ")
    kept, adjective = _split_adjective(before)
    determiner = _DETERMINER.search(kept)
    word = determiner["word"].lower() if determiner else ""
    dropped = 0
    if determiner and word in ARTICLES:
        if adjective:  # "a rich X": the article stays in front of the adjective
            return 0, bare
        dropped = len(before) - determiner.start()
    elif word in _FIXED or adjective:
        return 0, bare
    opens = _OPENING.search(before[: len(before) - dropped])
    return dropped, phrase[0].upper() + phrase[1:] if opens else phrase


def _split_adjective(before: str) -> tuple[str, str]:
    """Split a known adjective off the end of `before`."""
    match = _BEFORE.search(before)
    word = match["adjective"] if match else None
    if not match or word is None or word.lower() not in _ADJECTIVES:
        return before, ""
    return before[: match.start()], before[match.start() :]


def mentions_of(text: str, name: str) -> list[tuple[int, int]]:
    """Find `name` in `text` on word boundaries, case and accents folded, any white space alike; spans in order.

    >>> mentions_of("paris, Paris and Parish", "Paris")
    [(0, 5), (7, 12)]
    """
    return [match.span() for match in _pattern(name).finditer(fold(text))]


@lru_cache(4096)
def _pattern(name: str) -> re.Pattern[str]:
    words = [re.escape(word) for word in name_key(name).split()]
    return re.compile(rf"(?<![^\W_]){'[ _]+'.join(words)}(?![^\W_])" if words else r"(?!)")


def put_all(text: str, name: str, first: str, later: str) -> str:
    """Return `text` with every mention of `name` replaced: the first by the phrase `first`, the others by `later`."""
    pieces = []
    done = 0
    for number, (start, end) in enumerate(mentions_of(text, name)):
        dropped, wording = _wording(text, start, later if number else first)
        pieces += [text[done : max(done, start - dropped)], wording]
        done = end
    return "".join([*pieces, text[done:]])
