"""A tagger finds spans of whole words, and what is no tagger is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.tiny_models import byte_tokenizer
from tests.unit.building.drafts import row_of
from tests.unit.building.worlds import DIALOGUES, write_catalogue, write_lines
from transformers import BertConfig, BertForTokenClassification

from blindpo.building.draft import Mention
from blindpo.building.entities import (
    ModelRecognizer,
    Recognize,
    on_word_bounds,
)
from blindpo.cli.main import main
from blindpo.errors import ModelError
from blindpo.models.classifiers.ner import Tagger
from blindpo.models.vlm.source import fingerprint, resolve_model


class Scripted:
    """A recogniser that finds what it is told to."""

    name = "scripted"

    def __init__(self, *mentions: Mention) -> None:
        self.mentions = list(mentions)

    def find(self, texts: list[str]) -> list[list[Mention]]:
        return [self.mentions for _ in texts]


def test_pieces_of_words_and_unsure_mentions_are_dropped() -> None:
    text = "Eldoria is large"
    whole = Mention(start=0, end=7, text="Eldoria", score=0.9)
    piece = Mention(start=0, end=3, text="Eld", score=0.99)
    unsure = Mention(start=11, end=16, text="large", score=0.2)
    outcome = Recognize([Scripted(piece, unsure, whole)], min_score=0.5)([row_of(text)])
    assert [draft.mention for draft in outcome.drafts] == [replace(whole, type=None)]


@pytest.fixture(scope="module")
def tagger_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random token-classification model whose last layer sees the first letter: capitals are people."""
    folder = tmp_path_factory.mktemp("tagger")
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, id2label={0: "O", 1: "B-PER", 2: "I-PER", 3: "B-GPE"},
        label2id={"O": 0, "B-PER": 1, "I-PER": 2, "B-GPE": 3},
    )  # fmt: skip
    model = BertForTokenClassification(config)
    model.save_pretrained(folder)
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    return folder


def test_a_saved_model_gives_spans_of_whole_words(tagger_folder: Path) -> None:
    texts = ["Mira Vance went to Port Quill with Captain Eld. " * 4, "", "no one"]
    spans = Tagger(resolve_model(tagger_folder)).spans(texts)
    assert len(spans) == 3 and spans[1] == []
    found = ModelRecognizer(resolve_model(tagger_folder)).find(texts)
    assert [[(m.start, m.end) for m in ms] for ms in found] == [[(s.start, s.end) for s in ss] for ss in spans]
    for text, mentions in zip(texts, found, strict=True):
        assert all(m.text == text[m.start : m.end] and m.type in ("PER", "LOC", "MISC") for m in mentions)
    drafts = Recognize([ModelRecognizer(resolve_model(tagger_folder))])([row_of(texts[0])]).drafts
    assert all(on_word_bounds(texts[0].lower(), d.mention.start, d.mention.end) for d in drafts)


def test_a_build_with_a_model_has_its_fingerprint(tagger_folder: Path, tmp_path: Path) -> None:
    write_catalogue(tmp_path / "cat")
    write_lines(tmp_path / "train.jsonl", DIALOGUES)
    words = ["build", str(tmp_path / "train.jsonl"), "--catalogue", str(tmp_path / "cat"), "--workers", "1"]
    words += ["--out", str(tmp_path / "data"), "--set", f"recognizers=catalogue,hf:{tagger_folder}"]
    assert main(words) == 0
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert manifest["identity"]["models"][f"hf:{tagger_folder}"] == fingerprint(resolve_model(tagger_folder))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="no token-classification model"):
        Tagger(resolve_model(tmp_path))
