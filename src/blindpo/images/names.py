"""Names compared as people read them: case and typographic signs folded letter for letter, so that spans stay true."""

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
    """`text` in lower case with plain apostrophes, quotes, dashes and blanks; as long as `text` is.

    >>> fold("Rock \\u2019n\\u2019 Roll")
    "rock 'n' roll"
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters, such as a dotted capital I, become two
        lowered = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return plain_signs(lowered)


def plain_signs(text: str) -> str:
    """`text` with plain apostrophes, quotes, dashes and blanks, as titles of pages have them.

    >>> plain_signs("O\u2019Neill")
    "O'Neill"
    """
    return text.translate(_SIGNS)


def same_name(one: str, other: str) -> bool:
    """Whether two names are equal when folded; underscores and runs of blanks count as one blank."""
    return name_key(one) == name_key(other)


def name_key(text: str) -> str:
    """What equal names share: folded, outer blanks gone, underscores and runs of blanks as one blank."""
    return " ".join(fold(text).replace("_", " ").split())
