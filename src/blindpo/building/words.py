"""English function words, ordinals and determiners: words that are never an entity, and words that precede one."""

import re
from typing import Final

STOP_WORDS: Final = frozenset(
    """
    a about above actually after again against ago all almost alright also although always am an and another any anybody
    anyone anything anyway are aren't as ask at away back basically be because been before being below best better
    between both but by came can can't cannot cause come could couldn't cuz d did didn't do does doesn't doing don don't
    done down during each either else end even ever every everybody everyone everything except far few find first for
    from further gave get give given go goes going gone gonna good got great had hadn't happy hard has hasn't have
    haven't having he he'd he'll he's hello help hence her here here's hers herself hey hi him himself his hmm honestly
    how how's however i i'd i'll i'm i've if in indeed instead into is isn't it it'd it'll it's its itself just keep
    know last later least let let's like likely list ll lol look lot made make many may maybe me mean might mine more
    moreover most much must mustn't my myself name near neither never new next nice no nobody none nor not nothing now
    of off oh ok okay old on once one only onto or other otherwise ought our ours ourselves out over own perhaps please
    put quite rather re read really right s said same say see seem seems send shall shan't she she'd she'll she's should
    shouldn't show since so some somebody someone something sometimes soon sorry speaking still stop such suppose sure
    t take tell than thank thanks that that's the their theirs them themselves then there there's therefore these they
    they'd they'll they're they've thing things think this those though through thus till to today together tomorrow too
    try tonight u under unless until up upon us use used using ve very via want was wasn't watch way we we'd we'll we're
    we've well went were weren't what what's whatever when when's whenever where where's wherever whether which while
    who who's whoever whom whose why why's will with within without won't work would wouldn't wow write yeah yes
    yesterday yet you you'd you'll you're you've your yours yourself yourselves
    """.split()  # noqa: SIM905 - one word per line would be two hundred lines
)

ORDINAL: Final = re.compile(
    r"(?:\d+(?:st|nd|rd|th)|\d[\d.,:%-]*|[ivxlc]+|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)",
    re.IGNORECASE,
)
"""Numbers in figures, ordinals and Roman numerals: a tagger's favourite mistakes."""

ARTICLES: Final = ("a", "an", "the")
POSSESSIVES: Final = ("my", "your", "his", "her", "its", "our", "their")
DEMONSTRATIVES: Final = ("this", "that", "these", "those")
QUANTIFIERS: Final = ("some", "any", "no", "every", "each", "all", "many", "most", "few", "several", "other", "another")


def is_stop(text: str) -> bool:
    """Return whether `text`, folded, is one function word, number or ordinal, and thus not an entity."""
    word = text.strip().lower().replace("\u2019", "'")
    return word in STOP_WORDS or len(word) < 2 or ORDINAL.fullmatch(word) is not None
