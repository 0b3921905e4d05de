"""Stage 4, rephrase: replace the name in the text by a fitting phrase, and put the image in.

Two templates, both deterministic:

paper     replaces the first exact mention in the last user turn, puts the image in that turn, and leaves the history
          as it was: the rule behind the released `mid_prompt`. A name that is also in the history leaks.
default   puts the image in the first user turn that names the entity, replaces every mention in every turn, and mends
          determiners, number and capitals (`grammar.py`).
"""

from collections.abc import Sequence
from dataclasses import replace

from blindpo.building.config import BuildConfig
from blindpo.building.draft import Draft, Outcome
from blindpo.building.grammar import is_plural, mentions_of, put_all
from blindpo.building.phrases import phrase
from blindpo.rows.row import IMAGE, Entity, PreferenceRow, Turn


def paper_prompt(turns: Sequence[Turn], entity: str, replacement: str) -> tuple[Turn, ...]:
    """Apply the released rule: `last.replace(entity, replacement, 1)`, the image in front, the history untouched.

    If the last turn's text is also in the history, it is replaced there too, as in the released rows.

    >>> turns = paper_prompt([Turn(role="user", content=("Is Paris big?",))], "Paris", "the place shown")
    >>> turns[-1].text
    'Is the place shown big?'
    """
    *history, last = turns
    changed = last.text.replace(entity, replacement, 1)
    before = [replace(turn, content=(turn.text.replace(last.text, changed),)) for turn in history]
    return (*before, replace(last, content=(IMAGE, changed)))


def default_prompt(turns: Sequence[Turn], entity: str, replacement: str) -> tuple[Turn, ...]:
    """Replace every mention, and put the image at the start of the first user turn that names the entity.

    If an assistant turn names it first, the image is in the user turn before. Later turns point back with the phrase's
    noun and "in the image".
    """
    named = [number for number, turn in enumerate(turns) if mentions_of(turn.text, entity)]
    first = named[0] if named else len(turns) - 1
    while first > 0 and turns[first].role != "user":
        first -= 1
    later = short_phrase(replacement)
    reworded = []
    met = False
    for number, turn in enumerate(turns):
        text = put_all(turn.text, entity, later if met else replacement, later)
        met = met or number in named
        reworded.append(replace(turn, content=(IMAGE, text) if number == first else (text,)))
    return tuple(reworded)


def short_phrase(replacement: str) -> str:
    """Return the phrase for later mentions: the noun of the first, and where it is.

    >>> short_phrase("the human figure shown in the photo")
    'the human figure in the photo'
    """
    words = replacement.split()
    tails = {"in", "shown", "featured", "depicted", "visible"}
    end = next((n for n, word in enumerate(words) if word in tails), len(words))
    where = words[words.index("in") :] if "in" in words else ["in", "the", "image"]
    return " ".join([*words[:end], *where])


class Template:
    """The stage: set the phrase, the prompt with the image, and the image itself."""

    name = "rephrase"

    def __init__(self, config: BuildConfig) -> None:
        self._config = config

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return all drafts, rephrased; none is rejected here."""
        return Outcome([self._rephrased(draft) for draft in drafts])

    def _rephrased(self, draft: Draft) -> Draft:
        assert draft.candidate is not None, "match comes before rephrase"
        row, paper = draft.row, self._config.template == "paper"
        kind = draft.mention.type or draft.candidate.entity_type
        words = row.entity.replacement if row.entity and row.entity.replacement else self._phrase(draft, kind)
        make = paper_prompt if paper else default_prompt
        rephrased: PreferenceRow = replace(
            row,
            prompt=make(row.text_prompt or row.prompt, draft.mention.text, words),
            images=(draft.candidate.image,),
            entity=Entity(text=draft.mention.text, type=kind, replacement=words),
        )
        return replace(draft, row=rephrased).noted(rephrase={"by": f"template-{self._config.template}"})

    def _phrase(self, draft: Draft, kind: str | None) -> str:
        text = draft.row.prompt[-1].text
        many = is_plural(text, draft.mention.start, draft.mention.end)
        if draft.candidate is not None and draft.candidate.details.get("plural"):
            many = True
        paper = self._config.template == "paper"
        return phrase(kind, plural=many, seed=self._config.seed, row_id=draft.row.row_id, paper=paper)
