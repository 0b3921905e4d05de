"""Stage 2, entities: find who or what the last user turn names. Each dialogue gives one draft per entity.

Three recognisers find mentions (`catalogue`, `capitalised`, `hf:MODEL`); one stage takes the best of them. Every
mention is on word boundaries and is not a stop word, number or ordinal: the released rows have 17 entities that are
pieces of words, and images for them (paper: bert-large-cased-finetuned-conll03-english).
"""

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

import ahocorasick

from blindpo.building.draft import Draft, Mention, Outcome
from blindpo.building.words import STOP_WORDS, is_stop
from blindpo.images.names import fold, name_key
from blindpo.jobs.shards import Reject
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.row import Entity, PreferenceRow

_APOSTROPHE: Final = "'"
_CAPITALISED: Final = re.compile(
    r"(?<![\w'\u2019])[A-Z\u00c0-\u00de]\w*(?:[.&'\u2019-]\w+)*"
    r"(?:\s+(?:(?:of|the|de|la|del|von|van|bin|al|for)\s+){0,2}[A-Z\u00c0-\u00de]\w*(?:[.&'\u2019-]\w+)*)*"
)
_POSSESSIVE: Final = re.compile(r"['\u2019]s?$")
_WORD: Final = re.compile(r"\S+")


class Recognizer(Protocol):
    """Finds named entities in texts."""

    name: str

    def find(self, texts: Sequence[str]) -> list[list[Mention]]:
        """Return the mentions of each text, in order of their start, without overlaps."""


class CatalogueRecognizer:
    """Find names and aliases of an image catalogue: the longest match on word boundaries, case and accents folded."""

    name = "catalogue"

    def __init__(self, names: Iterable[tuple[str, str | None]]) -> None:
        """Build the matcher from `names`, pairs (name, type); a name with two types gets none."""
        known: dict[str, tuple[str, set[str | None]]] = {}
        for name, kind in names:
            known.setdefault(name_key(name), (name, set()))[1].add(kind)
        self._automaton = ahocorasick.Automaton()
        for key, (name, kinds) in known.items():
            self._automaton.add_word(key, (len(key), name, kinds.pop() if len(kinds) == 1 else None))
        self._automaton.make_automaton()

    def find(self, texts: Sequence[str]) -> list[list[Mention]]:
        """Return all mentions; of two that overlap the first to start, of two with the same start the longer."""
        return [list(self._in(text)) for text in texts]

    def _in(self, text: str) -> Iterator[Mention]:
        folded = fold(text)
        mentions = []
        for last, (length, name, kind) in self._automaton.iter(folded):
            start, end = last + 1 - length, last + 1
            if on_word_bounds(folded, start, end) and _is_name(text, start, text[start:end], name):
                score = 1.0 if text[start:end] == name else 0.9
                mentions.append(_mention(text, (start, end), kind, (score, self.name)))
        return without_overlaps(sorted(mentions, key=lambda m: (m.start, -m.end)))


class CapitalisedRecognizer:
    """Find runs of capitalised words, without the function word that opens a sentence. Gives no type."""

    name = "capitalised"

    def find(self, texts: Sequence[str]) -> list[list[Mention]]:
        """Return all runs; a word that may be capitalised only because it opens a sentence gets a lower score."""
        return [[m for span in _CAPITALISED.finditer(text) for m in self._trimmed(text, span.span())] for text in texts]

    def _trimmed(self, text: str, span: tuple[int, int]) -> Iterator[Mention]:
        start, end = span
        opens = _opens_sentence(text, start)
        for word in _WORD.finditer(text, start, end):
            if word.end() < end and fold(word.group()) in STOP_WORDS:
                start = word.end() + len(text[word.end() : end]) - len(text[word.end() : end].lstrip())
                opens = False
            else:
                break
        end -= len(text[start:end]) - len(_POSSESSIVE.sub("", text[start:end]))
        if start < end and not is_stop(text[start:end]):
            yield _mention(text, (start, end), None, (0.6 if opens and " " not in text[start:end] else 0.8, self.name))


class ModelRecognizer:
    """Find mentions with a token-classification model; word pieces are merged, other partial words widened or lost."""

    def __init__(self, source: ModelSource) -> None:
        self.name = f"hf:{source.given}"
        self._source = source
        self._tagger: Any = None

    def find(self, texts: Sequence[str]) -> list[list[Mention]]:
        """Return the model's spans; types other than the four become MISC."""
        if self._tagger is None:
            # torch is heavy, and only this recogniser needs it
            from blindpo.models.classifiers.ner import Tagger

            self._tagger = Tagger(self._source)
        return [
            [_mention(text, (span.start, span.end), span.type, (span.score, self.name)) for span in spans]
            for text, spans in zip(texts, self._tagger.spans(texts), strict=True)
        ]


def _mention(text: str, span: tuple[int, int], kind: str | None, by: tuple[float, str]) -> Mention:
    start, end = span
    return Mention(start=start, end=end, text=text[start:end], type=kind, score=round(by[0], 4), recogniser=by[1])


def on_word_bounds(text: str, start: int, end: int) -> bool:
    """Return whether the span begins and ends where words do; "Brien" in "O'Brien" does not, "Ann" in "Ann's" does.

    >>> on_word_bounds("in Parish", 3, 8), on_word_bounds("in Paris.", 3, 8)
    (False, True)
    """
    if start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        return False
    if start > 1 and fold(text[start - 1]) == _APOSTROPHE and text[start - 2].isalnum():
        return False
    return end >= len(text) or not (text[end].isalnum() or text[end] == "_")


def without_overlaps(mentions: Iterable[Mention]) -> Iterator[Mention]:
    """Yield the mentions that overlap none before them in the given order."""
    taken: list[tuple[int, int]] = []  # sorted, without overlaps
    for mention in mentions:
        span = (mention.start, mention.end)
        index = bisect(taken, span)
        before_fits = index == 0 or taken[index - 1][1] <= mention.start
        if before_fits and (index == len(taken) or mention.end <= taken[index][0]):
            taken.insert(index, span)
            yield mention


def _opens_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 40) : start].rstrip(" \"'(\u201c\u2018")
    return not before or before[-1] in ".!?\n:"


def _is_name(text: str, start: int, written: str, name: str) -> bool:
    """Return whether `written` is a name: a function word ("Will", "US") only as the name is cased, not at a start."""
    if not is_stop(written):
        return True
    return written == name and written != written.lower() and (written.isupper() or not _opens_sentence(text, start))


class Recognize:
    """The stage: run all recognisers on the last user turns; if two overlap, the one named first wins."""

    name = "entities"

    def __init__(self, recognizers: Sequence[Recognizer], *, min_score: float = 0.0, most: int = 16) -> None:
        self._recognizers = recognizers
        self._min_score = min_score
        self._most = most

    def __call__(self, rows: Sequence[PreferenceRow]) -> Outcome:
        """Return one draft for each entity of each row; a row without one is rejected."""
        texts = [row.prompt[-1].text for row in rows]
        by_recognizer = [recognizer.find(texts) for recognizer in self._recognizers]
        drafts: list[Draft] = []
        rejects: list[Reject] = []
        for number, row in enumerate(rows):
            mentions = self._best([mentions[number] for mentions in by_recognizer], texts[number])
            if not mentions:
                reason = "no-entity: the last user turn names nothing that a recogniser knows"
                rejects.append(Reject(row_id=row.row_id, field="prompt", reason=reason, stage=self.name))
            drafts += [_draft(row, mention) for mention in mentions]
        return Outcome(drafts, rejects)

    def _best(self, by_recognizer: Sequence[Sequence[Mention]], text: str) -> list[Mention]:
        folded = fold(text)
        usable = [
            mention
            for mentions in by_recognizer
            for mention in mentions
            if mention.score >= self._min_score and on_word_bounds(folded, mention.start, mention.end)
        ]
        first: dict[str, Mention] = {}
        for mention in sorted(without_overlaps(usable), key=lambda m: m.start):
            first.setdefault(name_key(mention.text), mention)
        return list(first.values())[: self._most]


def _draft(row: PreferenceRow, mention: Mention) -> Draft:
    entity = Entity(text=mention.text, type=mention.type)
    drafted = replace(row, row_id=f"{row.row_id}-{mention.start}", entity=entity, text_prompt=row.prompt)
    return Draft(row=drafted, mention=mention)
