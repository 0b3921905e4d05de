"""Uploads of a finished run, with a fake hub."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blindpo.errors import ConfigError, TrainingError
from blindpo.training.output.upload import SENT, Upload, asked_upload, push


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
