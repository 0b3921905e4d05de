"""Which model is meant, and what its identity is made of."""

import json
from pathlib import Path

import pytest

from blindpo.errors import ModelError
from blindpo.models.vlm.source import fingerprint, resolve_model


def model_folder(path: Path, weights: bytes = b"w") -> Path:
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "model.safetensors").write_bytes(weights)
    return path


def test_a_hub_id_has_its_revision() -> None:
    source = resolve_model("llava-hf/llava-1.5-7b-hf@a1b2c3d")
    assert (source.hub_id, source.revision, source.path) == ("llava-hf/llava-1.5-7b-hf", "a1b2c3d", None)
    assert fingerprint(source) != fingerprint(resolve_model("llava-hf/llava-1.5-7b-hf@a1b2c3e"))


@pytest.mark.parametrize("words", ["llava-hf/llava-1.5-7b-hf", "llava-hf/llava-1.5-7b-hf@main", "nowhere"])
def test_what_is_no_folder_and_has_no_revision_is_refused(words: str) -> None:
    with pytest.raises(ModelError, match="REVISION"):
        resolve_model(words)


def test_a_folder_without_config_or_safetensors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        resolve_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="safetensors"):
        resolve_model(tmp_path)
    with pytest.raises(ModelError, match="is a file"):
        resolve_model(tmp_path / "config.json")


def test_an_adapter_finds_its_base_in_the_runs_record(tmp_path: Path) -> None:
    base = model_folder(tmp_path / "base")
    run = tmp_path / "run"
    run.mkdir()
    (run / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"run\.json"):
        resolve_model(run)
    (run / "run.json").write_text(json.dumps({"base": str(base)}))
    source = resolve_model(run)
    assert source.adapter == run
    assert source.base == resolve_model(base)


def test_a_relative_base_is_the_one_beside_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = model_folder(tmp_path / "study/base")
    run = tmp_path / "study/run"
    run.mkdir()
    (run / "adapter_config.json").write_text("{}")
    (run / "run.json").write_text(json.dumps({"base": "../base"}))
    model_folder(tmp_path / "base")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # its ../base is another model
    found = resolve_model(run).base
    assert found is not None and found.path is not None and found.path.resolve() == base


def test_the_fingerprint_follows_weights_and_not_records(tmp_path: Path) -> None:
    one, other = model_folder(tmp_path / "one"), model_folder(tmp_path / "other")
    assert fingerprint(resolve_model(one)) == fingerprint(resolve_model(other))
    (other / "timings.json").write_text("{}")
    assert fingerprint(resolve_model(one)) == fingerprint(resolve_model(other))
    (other / "model.safetensors").write_bytes(b"v")
    assert fingerprint(resolve_model(one)) != fingerprint(resolve_model(other))
