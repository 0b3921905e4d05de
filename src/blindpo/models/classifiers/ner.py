"""Find named entities with any token-classification model: texts in, spans of whole words out.

A word takes the label of its first piece and word pieces are always merged: "simple" aggregation gives pieces of words
as entities, as in 17 of the 275 released rows. The pipeline splits long texts into overlapping windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from blindpo.errors import ModelError
from blindpo.models.vlm.source import ModelSource

TYPES: Final = {"PER": "PER", "PERSON": "PER", "LOC": "LOC", "GPE": "LOC", "FAC": "LOC", "ORG": "ORG", "MISC": "MISC"}
"""Labels of CoNLL-2003 and OntoNotes; any other is MISC."""


@dataclass(frozen=True, slots=True)
class Span:
    """One entity: characters `start` up to `end`, one of PER, LOC, ORG, MISC, and a probability."""

    start: int
    end: int
    type: str
    score: float


class Tagger:
    """A loaded tagger. Raises ModelError if the folder or hub id holds no such model."""

    def __init__(self, source: ModelSource, *, batch_size: int = 16) -> None:
        self._batch_size = batch_size
        name = source.hub_id or str(source.path)
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, revision=source.revision, use_fast=True)
            model = AutoModelForTokenClassification.from_pretrained(name, revision=source.revision)
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"hf:{source.given} is no token-classification model that loads ({reason})") from error
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(f"hf:{source.given} has no fast tokenizer, which spans need; convert it")
        longest = min(int(tokenizer.model_max_length), int(getattr(model.config, "max_position_embeddings", 512)))
        tokenizer.model_max_length = longest
        self._pipeline: Any = pipeline(
            "token-classification",
            model=model.eval(),
            tokenizer=tokenizer,
            aggregation_strategy="first",
            stride=min(32, longest // 4),
        )

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the spans of each text, in order; a blank text has none."""
        filled = [index for index, text in enumerate(texts) if text.strip()]  # the pipeline fails on no tokens
        answers = self._pipeline([texts[index] for index in filled], batch_size=self._batch_size) if filled else []
        spans_of_texts: list[list[Span]] = [[] for _ in texts]
        for index, answer in zip(filled, answers, strict=True):
            spans_of_texts[index] = [_span(one) for one in answer]
        return spans_of_texts


def _span(entity: dict[str, Any]) -> Span:
    label = str(entity["entity_group"]).upper()
    return Span(int(entity["start"]), int(entity["end"]), TYPES.get(label, "MISC"), float(entity["score"]))
