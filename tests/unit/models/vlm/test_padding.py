"""Square padding: pixels by hand, the choice saved with the processor, and the same tensors everywhere."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.tiny_models import save_tiny_llava

from blindpo.errors import ConfigError, ModelError
from blindpo.models.vlm.load import load_processor, load_vlm
from blindpo.models.vlm.padding import image_padding, pad_to_square, padded, padded_size, set_image_padding
from blindpo.models.vlm.prompt import encode_prompt
from blindpo.models.vlm.quantized import missing_for_4bit
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, Turn

TURNS = (Turn(role="user", content=(IMAGE, "what?")),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


def test_a_wide_image_gets_rows_above_and_below() -> None:
    wide = Image.new("RGB", (4, 2), "red")
    square = pad_to_square(wide, (1, 2, 3))
    assert square.size == (4, 4)
    rows = [square.getpixel((0, y)) for y in range(4)]
    assert rows == [(1, 2, 3), (255, 0, 0), (255, 0, 0), (1, 2, 3)]
    tall = pad_to_square(Image.new("RGB", (1, 4), "red"), (1, 2, 3))
    assert [tall.getpixel((x, 0)) for x in range(4)] == [(1, 2, 3), (255, 0, 0), (1, 2, 3), (1, 2, 3)]
    assert pad_to_square(square, (9, 9, 9)) is square


def test_the_padding_is_the_processors_mean_colour_and_is_saved_with_it(folder: Path, tmp_path: Path) -> None:
    processor = load_processor(resolve_model(folder), image_padding="square")
    (made,) = padded(processor, [Image.new("RGB", (4, 2))])
    assert made.getpixel((0, 0)) == tuple(int(255 * mean) for mean in processor.image_processor.image_mean)
    assert padded_size(processor, (4, 2)) == (4, 4)
    processor.save_pretrained(tmp_path)
    saved = load_processor_from(tmp_path)
    assert image_padding(saved) == "square"
    assert image_padding(load_processor(resolve_model(folder))) == "none"


def load_processor_from(path: Path):  # type: ignore[no-untyped-def]
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(str(path), backend="pil")


def test_what_crops_loses_the_sides_and_padding_keeps_them(folder: Path) -> None:
    picture = Image.new("RGB", (72, 24), "black")
    picture.paste("white", (0, 0, 24, 24))  # at the left side alone: a centre crop does not see it
    pixels = {}
    for padding in ("none", "square"):
        processor = load_processor(resolve_model(folder), image_padding=padding)
        pixels[padding] = encode_prompt(processor, TURNS, [picture]).extras["pixel_values"]
    assert pixels["none"].shape == pixels["square"].shape
    assert torch.unique(pixels["none"][0, 0]).numel() == 1
    assert torch.unique(pixels["square"][0, 0]).numel() > 2


def test_a_model_that_is_padded_on_request_is_another_model(folder: Path) -> None:
    source = resolve_model(folder)
    plain, square = load_vlm(source, device="cpu"), load_vlm(source, device="cpu", image_padding="square")
    assert plain.fingerprint != square.fingerprint


def test_an_unknown_padding_and_a_processor_without_a_mean_are_refused(folder: Path) -> None:
    processor = load_processor(resolve_model(folder))
    with pytest.raises(ConfigError, match="allowed: as_saved, none, square"):
        set_image_padding(processor, "round")
    processor.image_processor.image_mean = None
    with pytest.raises(ModelError, match="mean colour"):
        set_image_padding(processor, "square")


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is missing without a GPU")
def test_4_bits_are_refused_with_the_reason(folder: Path) -> None:
    assert "no CUDA device" in (missing_for_4bit() or "")
    with pytest.raises(ModelError, match="load_in_4bit: there is no CUDA device"):
        load_vlm(resolve_model(folder), load_in_4bit=True)
