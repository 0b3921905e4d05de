"""Loading: what is asked of transformers, and what a user reads where it cannot be."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tests.tiny_models import TEMPLATE, byte_tokenizer
from transformers.utils import is_torchvision_available

from blindpo.errors import ModelError
from blindpo.models.vlm.load import Vlm, load_processor, load_vlm
from blindpo.models.vlm.source import resolve_model


def test_the_model_is_loaded_for_evaluation_with_pil_images(tiny_vlm: Vlm) -> None:
    assert not tiny_vlm.model.training
    assert tiny_vlm.model.dtype == torch.float32
    assert type(tiny_vlm.processor.image_processor).__name__.endswith("Pil")
    assert len(tiny_vlm.fingerprint) == 64


def test_an_unknown_dtype_and_broken_weights_are_said_plainly(tiny_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="float32, bfloat16"):
        load_vlm(resolve_model(tiny_folder), dtype="int8")
    (tmp_path / "config.json").write_text('{"model_type": "no-such-family"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_vlm(resolve_model(tmp_path))


def test_weights_that_were_cut_are_said_plainly(tiny_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(tiny_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"not whole.*download"):
        load_vlm(resolve_model(folder))


@pytest.mark.parametrize(
    "error",
    [
        ImportError("Qwen2VLVideoProcessor requires the Torchvision library"),
        AttributeError("type object 'VIDEO_PROCESSOR_MAPPING' has no attribute '_extra_content'"),
    ],
)
def test_a_processor_that_needs_torchvision_names_the_extra(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", fail)
    with pytest.raises(ModelError, match=r"blindpo\[vision\]"):
        load_processor(resolve_model(tiny_folder))


def test_pil_is_asked_of_the_image_processor_alone(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, list[dict[str, Any]]] = {"AutoProcessor": [], "AutoTokenizer": []}

    def watched(name: str) -> Any:
        whole = getattr(transformers, name).from_pretrained

        def from_pretrained(*args: Any, **kwargs: Any) -> Any:
            asked[name].append(kwargs)
            return whole(*args, **kwargs)

        return from_pretrained

    for name in asked:
        monkeypatch.setattr(getattr(transformers, name), "from_pretrained", watched(name))
    processor = load_processor(resolve_model(tiny_folder))
    # a video processor is handed what the whole processor is, as the tokenizer is, and has no PIL version
    assert all(calls and not any("backend" in call for call in calls) for calls in asked.values())
    assert type(processor.image_processor) is transformers.CLIPImageProcessorPil


@pytest.mark.parametrize("layout", ["processor_config.json", "preprocessor_config.json"])
def test_a_real_processor_with_a_video_processor_needs_torchvision_alone(layout: str, tmp_path: Path) -> None:
    image = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 7, "merge_size": 2}
    video = {"video_processor_type": "Qwen2VLVideoProcessor", "patch_size": 7, "merge_size": 2}
    named = {"processor_class": "Qwen2_5_VLProcessor"}
    nested = {"image_processor": image, "video_processor": video, **named}
    (tmp_path / layout).write_text(json.dumps(nested if layout == "processor_config.json" else {**image, **named}))
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(tmp_path)
    if not is_torchvision_available():
        with pytest.raises(ModelError, match=r"blindpo\[vision\]"):
            load_processor(resolve_model(tmp_path))
        return
    processor = load_processor(resolve_model(tmp_path))
    assert type(processor.image_processor).__name__ == "Qwen2VLImageProcessorPil"
    assert type(processor.video_processor).__name__ == "Qwen2VLVideoProcessor"
    assert processor.image_processor.patch_size == 7


def test_a_text_model_is_no_vision_language_model(tiny_vlm: Vlm, tmp_path: Path) -> None:
    tiny_vlm.processor.tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError):
        load_processor(resolve_model(tmp_path))
