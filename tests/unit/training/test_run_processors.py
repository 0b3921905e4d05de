"""Families end to end with their own processors (where these need no torchvision): rows of every kind, packed."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from tests.tiny_models import TEMPLATE, byte_tokenizer
from tests.training_rows import drawn_image, row, run_training, write_rows

from blindpo.rows.row import IMAGE, Turn

PINPOINTS = [[28, 56], [56, 28], [56, 56]]
EDGE = {"height": 28, "width": 28}
IDEFICS_TOKENS = ["<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]


def text_config(size: int) -> Any:
    return hf.LlamaConfig(
        vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=2048, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip


def llava_next(folder: Path) -> Path:
    tokenizer = byte_tokenizer()
    vision = hf.CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    config = hf.LlavaNextConfig(
        vision_config=vision, text_config=text_config(len(tokenizer)), image_token_id=3, image_token_index=3,
        image_grid_pinpoints=PINPOINTS, vision_feature_layer=-2, vision_feature_select_strategy="default",
    )  # fmt: skip
    torch.manual_seed(0)
    hf.LlavaNextForConditionalGeneration(config).save_pretrained(folder)
    images = hf.LlavaNextImageProcessorPil(size={"shortest_edge": 28}, crop_size=EDGE, image_grid_pinpoints=PINPOINTS)
    hf.LlavaNextProcessor(
        image_processor=images, tokenizer=tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def idefics3(folder: Path) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<image>", *IDEFICS_TOKENS]})
    vision = hf.Idefics3VisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=7
    )
    config = hf.Idefics3Config(
        vision_config=vision, text_config=text_config(len(tokenizer)), image_token_id=3, scale_factor=2, pad_token_id=0
    )
    torch.manual_seed(0)
    hf.Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    images = hf.Idefics3ImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 28})
    hf.Idefics3Processor(
        image_processor=images, tokenizer=tokenizer, image_seq_len=4, chat_template=TEMPLATE
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("save", [llava_next, idefics3])
def test_rows_of_every_kind_train_packed(save: Any, tmp_path: Path) -> None:
    base = save(tmp_path / "base")
    two = (Turn(role="user", content=(IMAGE, "this or")), Turn(role="assistant", content=("what ?",)),
           Turn(role="user", content=(IMAGE, "that ?")))  # fmt: skip
    rows = [
        row(0, more_rejected=("never",)),
        row(1, prompt=(Turn(role="user", content=("no picture",)),), images=()),
        row(2, prompt=two, images=(drawn_image("red"), drawn_image("blue"))),
    ]
    data = write_rows(tmp_path / "data", rows)
    found = {}
    for packing in ("on", "off"):
        run_training(base, data, tmp_path / packing, config={"packing": packing}, per_device_train_batch_size=3)
        lines = (tmp_path / packing / "metrics.jsonl").read_text().splitlines()
        found[packing] = [json.loads(line) for line in lines]
    checked = json.loads((tmp_path / "on/run.json").read_text())["packing"]["largest_difference_nats"]
    assert set(checked) == {"text-only", "one image", "several images"}
    for one, other in zip(found["on"], found["off"], strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-4)
