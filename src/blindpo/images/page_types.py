"""Decide what a Wikipedia page is about (a person, a place, an organisation) from its own description.

The paper's data has wrong readings of a name (the company Fox: an image of the animal). A page's short description
("Capital of France"), its visible categories ("Living people") and the word in brackets after its title ("Mercury
(planet)") tell the reading in plain English words; if they do not, the type is unknown, and an unknown type contradicts
nothing. Rules, not a model, since each can be read and mended. English only.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

_PERSON: Final = re.compile(
    r"living people|\b\d+s? (?:bc )?(?:births|deaths)\b|\bborn (?:c\. )?\d{4}|\(\d{3,4}[-\u2013]\d{2,4}\)"
    r"|\b(?:people|men|women|footballers|politicians|actors|singers|writers|scientists|monarchs) (?:of|from)\b"
    r"|\b(?:actor|actress|singer|songwriter|rapper|musician|composer|politician|president of|prime minister of|king of"
    r"|queen of|emperor|footballer|basketball player|tennis player|boxer|wrestler|athlete|writer|author|novelist|poet"
    r"|journalist|philosopher|physicist|chemist|mathematician|economist|painter|film director|comedian|businessman"
    r"|businesswoman|entrepreneur|serial killer|dictator|army general|general of|activist|religious leader)\b"
)
_PLACE: Final = re.compile(
    r"\b(?:countries|cities|towns|villages|states|provinces|counties|districts|regions|islands|continents|rivers|lakes"
    r"|mountains|deserts|seas|capitals|municipalities|neighbou?rhoods|suburbs|buildings|towers|bridges|castles)"
    r" (?:in|of|and)\b|\bpopulated places\b|\b(?:country|city|town|village|state|province|county|district|region"
    r"|island|continent|river|lake|mountain|desert|capital|municipality|neighbou?rhood|suburb|tower|bridge|castle)"
    r" (?:in|on|of(?! (?:matter|mind|being|affairs|the (?:brain|body))))\b"
    r"|\b(?:sovereign|island|landlocked) (?:state|country)\b|\bcapital (?:and|city)\b|^continent$"
)
_ORGANISATION: Final = re.compile(
    r"\b(?:companies|organi[sz]ations|political parties|universities|colleges|schools|newspapers|magazines|banks"
    r"|agencies|airlines|clubs|teams|churches|record labels|manufacturers|retailers|musical groups)"
    r" (?:of|in|based|established|disestablished|listed)\b"
    r"|\b(?:company|corporation|conglomerate|organi[sz]ation|political party"
    r"|university|newspaper|television network|broadcaster|airline|government agency|law enforcement agency"
    r"|football club|non-?profit|charity|militant group|activist group"
    r"|rock band|restaurant chain|retailer|manufacturer)\b"
)
_RULES: Final = {"PER": _PERSON, "LOC": _PLACE, "ORG": _ORGANISATION}
_OTHER: Final = (
    *("film", "book", "novel", "album", "song", "tv series", "video game", "programming language", "language"),
    *("animal", "bird", "fish", "fruit", "plant", "planet", "mythology", "religion", "currency", "drug", "fabric"),
)
_BRACKETS: Final[dict[str, str]] = {
    **dict.fromkeys(("company", "band", "organization", "organisation", "newspaper", "network", "corporation"), "ORG"),
    **dict.fromkeys(("city", "country", "town", "village", "island", "river", "continent", "u.s. state"), "LOC"),
    **dict.fromkeys(("actor", "actress", "singer", "politician", "musician", "rapper", "footballer", "king"), "PER"),
    **dict.fromkeys(_OTHER, "MISC"),
}


def page_type(title: str, description: str | None, categories: Iterable[str]) -> str | None:
    """Return PER, LOC, ORG or MISC, or None if there is no sign or the signs differ.

    >>> page_type("Mercury (planet)", None, [])
    'MISC'
    >>> page_type("Ada Lovelace", "English mathematician (1815-1852)", ["1815 births"])
    'PER'
    """
    bracket = split_title(title)[1]
    if bracket and bracket.lower() in _BRACKETS:
        return _BRACKETS[bracket.lower()]
    # the short description is about the page itself, while categories also name related things
    for texts in ([description or ""], list(categories)):
        votes = Counter(kind for text in texts for kind, rule in _RULES.items() if rule.search(text.lower()))
        leaders = votes.most_common(2)
        if leaders and (len(leaders) == 1 or leaders[0][1] > leaders[1][1]):
            return leaders[0][0]
    return None


def split_title(title: str) -> tuple[str, str | None]:
    """Split a title into its name and the text in brackets after it.

    >>> split_title("Mercury (planet)")
    ('Mercury', 'planet')
    """
    match = re.fullmatch(r"(.+?) \(([^()]*)\)", title)
    return (match.group(1), match.group(2)) if match else (title, None)
