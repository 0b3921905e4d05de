"""Deictic phrases: the wording that replaces a name, once the image shows who or what is meant.

Nouns by entity type and number, times tails, as in the released rows (78 phrases, all "the NOUN TAIL"; no noun but
"subject" is shared between types). The default recipe takes only tails that name the image explicitly, since the
released "the company depicted" reads as if the image had been forgotten.
"""

from typing import Final

from blindpo.jobs.seeds import derive_seed

NOUNS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "PER": (("person", "people"), ("individual", "individuals"), ("figure", "figures"), ("human", "humans")),
    "LOC": (
        ("place", "places"),
        ("location", "locations"),
        ("area", "areas"),
        ("region", "regions"),
        ("site", "sites"),
    ),
    "ORG": (
        ("organization", "organizations"),
        ("company", "companies"),
        ("group", "groups"),
        ("institution", "institutions"),
    ),
    "MISC": (("subject", "subjects"), ("entity", "entities"), ("object", "objects"), ("item", "items")),
}
"""(singular, plural) by type; the first pair is the plainest."""
TAILS: Final = (
    "in the image",
    "shown in the image",
    "featured in the image",
    "depicted in the image",
    "visible in the image",
    "in the picture",
    "shown in the picture",
    "in the photo",
)
PAPER_TAILS: Final = (*TAILS, "shown", "visible", "depicted", "represented", "in the scene", "in the shot")
POINTS: Final = ("image", "picture", "photo", "scene", "shot")
"""Words for the image that a text can point to."""


def noun(kind: str | None, *, plural: bool, number: int = 0) -> str:
    """Return a noun that fits an entity of `kind` (None: MISC's).

    >>> noun("PER", plural=True)
    'people'
    """
    pairs = NOUNS.get(kind or "MISC", NOUNS["MISC"])
    return pairs[number % len(pairs)][plural]


def phrase(kind: str | None, *, plural: bool, seed: int, row_id: str, paper: bool = False) -> str:
    """Return the phrase for one row; it depends on seed and row id alone.

    >>> phrase("LOC", plural=False, seed=42, row_id="r-1").startswith("the ")
    True
    """
    tails = PAPER_TAILS if paper else TAILS
    draw = derive_seed(seed, row_id, "phrase")
    return f"the {noun(kind, plural=plural, number=draw)} {tails[draw // 64 % len(tails)]}"
