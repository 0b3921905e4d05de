"""Lengths that are counted from sizes alone are those of the whole processor on the images themselves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row

import blindpo.models.vlm.lengths
from blindpo.images.decode import decode_image
from blindpo.models.vlm.lengths import CHECKED_SIZES, RowLengths
from blindpo.models.vlm.prompt import encode_prompt, encode_response
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import ImageRef, PreferenceRow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


def pictured(number: int) -> tuple[PreferenceRow, tuple[int, int]]:
    """A row with a noisy image of a size of its own."""
    import io

    size = (20 + number, 60 - number)
    noise = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).save(sink, "PNG")
    return replace(row(number), images=(ImageRef(data=sink.getvalue()),)), size


def exact(lengths: RowLengths, each: PreferenceRow) -> int:
    prompt = encode_prompt(lengths.processor, each.prompt, [decode_image(image.data) for image in each.images])
    texts = (each.chosen or "", each.rejected or "", each.blind[0].text)
    return len(prompt.input_ids) + max(len(encode_response(lengths.processor, each.prompt, text)) for text in texts)


def test_lengths_are_exact_before_and_after_the_processor_is_trusted(folder: Path) -> None:
    lengths = RowLengths(resolve_model(folder))
    for number in range(CHECKED_SIZES + 5):
        each, size = pictured(number)
        assert lengths(each, [size]) == exact(lengths, each)
    assert lengths._tells and lengths._num_checked == CHECKED_SIZES
    text_only = row(1, images=(), prompt=(replace(row(1).prompt[0], content=("what is it?",)),))
    assert lengths(text_only, []) == exact(lengths, text_only)


def test_a_processor_that_tells_wrong_numbers_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = RowLengths(resolve_model(folder))
    told = {"num_image_tokens": [7]}
    monkeypatch.setattr(type(lengths.processor), "_get_num_multimodal_tokens", lambda self, image_sizes: told)
    for number in range(CHECKED_SIZES + 3):
        each, size = pictured(number)
        assert lengths(each, [size]) == exact(lengths, each)
    assert not lengths._tells


def test_no_image_is_decoded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hasattr(blindpo.models.vlm.lengths, "decode_image")
    lengths = RowLengths(resolve_model(folder))
    each, size = pictured(3)
    wanted = exact(lengths, each)
    broken = replace(each, images=(ImageRef(data=b"no picture"),))
    assert lengths(broken, [size]) == wanted
