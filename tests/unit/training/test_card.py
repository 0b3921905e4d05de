"""The model card by its parts, the same bytes twice; uploads with a fake hub."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from tests.training_rows import picture, row

from blindpo.errors import ConfigError, TrainingError
from blindpo.training.output.card import CardFacts, image_licences, model_card
from blindpo.training.output.upload import SENT, Upload, asked_upload, push

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
    red, blue = replace(picture("red"), licence="CC0"), picture("blue")
    rows = [row(0, images=(red,)), row(1, images=(red,)), row(2, images=(blue,))]
    assert image_licences(rows) == {"CC0": 1, "not stated": 1}
    assert image_licences([]) == {}


class FakeHub:
    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.error = error

    def create_repo(self, repo_id: str, **options: Any) -> Any:
        self.calls.append(("create", {"repo_id": repo_id, **options}))
        return SimpleNamespace(repo_id=repo_id)

    def upload_folder(self, **options: Any) -> None:
        if self.error is not None:
            raise self.error
        self.calls.append(("upload", options))


def sent_by(options: dict[str, Any], names: list[str]) -> list[str]:
    from huggingface_hub.utils import filter_repo_objects

    patterns = {key: options[key] for key in ("allow_patterns", "ignore_patterns")}
    return list(filter_repo_objects(names, **patterns))


def test_a_run_is_pushed_without_what_should_stay_here(tmp_path: Path) -> None:
    hub = FakeHub()
    where = push(tmp_path, Upload(hub_model_id="me/model", private=True), api=hub)
    assert where == "https://huggingface.co/me/model"
    (_, created), (_, uploaded) = hub.calls
    assert created == {"repo_id": "me/model", "private": True, "repo_type": "model", "exist_ok": True}
    names = ["model-00001-of-00002.safetensors", "config.json", "README.md", "tokenizer.json", "chat_template.jinja"]
    kept_here = ["rejects.jsonl", "probes.jsonl", "timings.json", "checkpoint-3/config.json", ".work/run.json"]
    assert sent_by(uploaded, [*names, *kept_here]) == names
    assert uploaded["allow_patterns"] == list(SENT)


def test_an_upload_that_fails_says_that_the_run_is_whole(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="finished and whole, but could not be uploaded to me/model"):
        push(tmp_path, Upload(hub_model_id="me/model", private=None), api=FakeHub(OSError("no route")))


def test_an_upload_is_asked_for_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert asked_upload({}) is None
    asked = asked_upload({"push_to_hub": "true", "hub_model_id": "me/model", "hub_private_repo": "true"})
    assert asked == Upload(hub_model_id="me/model", private=True)
    for options, words in (
        ({"push_to_hub": True}, "hub_model_id as OWNER/NAME"),
        ({"push_to_hub": True, "hub_model_id": "model"}, "it is 'model'"),
        ({"hub_model_id": "me/model"}, "'hub_model_id' has no effect without push_to_hub"),
    ):
        with pytest.raises(ConfigError, match=words):
            asked_upload(options)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="HF_HUB_OFFLINE is set"):
        asked_upload({"push_to_hub": True, "hub_model_id": "me/model"})
