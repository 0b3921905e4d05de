"""Row to example to batch: token ids, what is kept of the images, the order of the sequences."""

from pathlib import Path

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import blind, row

from blindpo.errors import ImageError, RowError
from blindpo.models.vlm.load import load_processor
from blindpo.models.vlm.prompt import encode_response
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import ImageRef
from blindpo.training.collator import Collator
from blindpo.training.examples import Example, ImageTensors, make_example, make_examples


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageTensors:
    folder: Path = save_tiny_llava(tmp_path_factory.mktemp("models") / "base")
    return ImageTensors(load_processor(resolve_model(folder)))


def made(processed: ImageTensors, number: int, **changes: object) -> Example:
    return make_example(row(number, **changes), processed, use_blind=True, max_length=None)


def test_outer_blanks_of_a_response_leave_no_trace(images: ImageTensors) -> None:
    one, other = made(images, 0, chosen="a ball"), made(images, 0, chosen=" a ball \n")
    assert one.chosen == other.chosen == tuple(encode_response(images.processor, one.row.prompt, "a ball"))
    assert one.chosen[-1] == images.processor.tokenizer.eos_token_id


def test_sequences_stand_in_the_order_chosen_rejected_blind(images: ImageTensors) -> None:
    examples = [made(images, 0, blind=(), more_rejected=("never",)), made(images, 1, blind=(blind("x"), blind("y")))]
    batch = Collator(images, pad_id=0)(examples)
    assert batch["kind_S"].tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert batch["row_S"].tolist() == [0, 1, 0, 0, 1, 1, 1]
    sequences = batch["sequences"]
    assert sequences["extras"]["pixel_values"].shape[0] == 7  # an image is repeated for each of its row's responses
    for place, ids in ((0, examples[0].chosen), (3, examples[0].rejected[1]), (6, examples[1].blind[1])):
        assert tuple(sequences["input_ids"][place][sequences["response_mask"][place]].tolist()) == ids


def test_an_image_that_was_dropped_is_made_again(images: ImageTensors) -> None:
    small = ImageTensors(images.processor, max_bytes=1)
    first, second = made(small, 0), made(small, 1)
    for example, source in ((first, images), (second, images), (first, images)):
        again, kept = small.whole_prompt(example), source.whole_prompt(made(images, int(example.row.row_id[4:])))
        assert torch.equal(again.extras["pixel_values"], kept.extras["pixel_values"])
        assert torch.equal(again.input_ids, kept.input_ids)


def test_bad_rows_are_named_with_their_reason(images: ImageTensors) -> None:
    with pytest.raises(ImageError):
        made(images, 0, images=(ImageRef(data=b"<html>"),))
    with pytest.raises(RowError, match="chosen and rejected are the same"):
        made(images, 0, chosen="no", rejected=" no ")
    found = list(make_examples([row(0), row(1, chosen=None)], images, use_blind=False, max_length=None, stage="train"))
    assert isinstance(found[0], Example) and found[0].blind == ()
    assert not isinstance(found[1], Example) and (found[1].row_id, found[1].field) == ("row-1", "chosen")
