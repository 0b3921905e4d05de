"""Compare names as people read them: case and typographic signs are folded per character, so that spans stay valid."""

from typing import Final

_SIGNS: Final = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u02bc": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u00a0": " ",
    }
)


def fold(text: str) -> str:
    """Return `text` in lower case with plain apostrophes, quotes, dashes and spaces; the length does not change.

    >>> fold("Rock \\u2019n\\u2019 Roll")
    "rock 'n' roll"
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # the lower case of a few letters, such as dotted capital I, is two characters
        lowered = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return plain_signs(lowered)


def plain_signs(text: str) -> str:
    """Return `text` with plain apostrophes, quotes, dashes and spaces, as in page titles.

    >>> plain_signs("O\u2019Neill")
    "O'Neill"
    """
    return text.translate(_SIGNS)


def same_name(one: str, other: str) -> bool:
    """Return whether two names are equal when folded; underscores and runs of spaces count as one space."""
    return name_key(one) == name_key(other)


def name_key(text: str) -> str:
    """Return the key that equal names share: folded and stripped, underscores and runs of spaces as one space."""
    return " ".join(fold(text).replace("_", " ").split())
