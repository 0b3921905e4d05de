"""The model card by its parts, and the same bytes twice."""

from dataclasses import replace

import yaml
from tests.training_rows import drawn_image, row

from blindpo.training.output.card import CardFacts, image_licences, model_card

FACTS = CardFacts(
    base="llava-hf/llava-1.5-7b-hf@abc", is_hub_id=True, method="bpo", is_adapter=False, data_hash="d" * 64,
    counts={"kept": 5392}, licences={"CC BY-SA 4.0": 1200, "not stated": 3}, recipe={"beta": 0.1, "lora": False},
    versions={"torch": "2.13.0"}, final={"loss": 0.25, "rewards/accuracies": 0.9, "eval_loss": 0.3, "grad_norm": 3.0},
    warnings=["length: balance"], policy={"chosen": -1.0, "verdict": "near"}, engine="zero2 on 4 processes (cuda)",
    steps=674,
)  # fmt: skip


def test_the_card_says_all_that_is_asked_of_it() -> None:
    text = model_card(FACTS)
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["base_model"] == "llava-hf/llava-1.5-7b-hf" and front["library_name"] == "transformers"
    for words in ("d" * 64, "| CC BY-SA 4.0 | 1,200 |", "| not stated | 3 |", "| loss | 0.25 |", "| eval_loss | 0.3 |",
                  "beta: 0.1", "torch 2.13.0", "zero2 on 4 processes", "674 optimizer steps",
                  "Warning: length: balance.", "Before training: near."):  # fmt: skip
        assert words in text, words
    assert "grad_norm" not in text
    assert model_card(FACTS) == text and text.isascii()
    adapter = model_card(replace(FACTS, is_adapter=True, is_hub_id=False, base="base", licences={}))
    assert "library_name: peft" in adapter and "base_model" not in adapter and "There are no images." in adapter


def test_licences_count_each_distinct_image_once() -> None:
    red, blue = replace(drawn_image("red"), licence="CC0"), drawn_image("blue")
    rows = [row(0, images=(red,)), row(1, images=(red,)), row(2, images=(blue,))]
    assert image_licences(rows) == {"CC0": 1, "not stated": 1}
    assert image_licences([]) == {}
