"""Turns to tokens: outer blanks never matter, the end of turn closes what is not cut, padding hides nothing."""

import pytest
import torch
from PIL import Image

from blindpo.errors import RowError
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.prompt import PromptInputs, collate, encode_prompt, encode_response, stop_ids
from blindpo.rows.row import IMAGE, Turn

SEEING = (Turn(role="user", content=(IMAGE, "what is this ?")),)
RED = Image.new("RGB", (40, 30), (200, 10, 10))


def test_an_image_becomes_the_processors_own_number_of_tokens(tiny_vlm: Vlm) -> None:
    made = encode_prompt(tiny_vlm.processor, SEEING, [RED])
    image_id = tiny_vlm.processor.tokenizer.convert_tokens_to_ids("<image>")
    assert int((made.input_ids == image_id).sum()) == 4
    assert list(made.extras) == ["pixel_values"]
    blind = encode_prompt(tiny_vlm.processor, (Turn(role="user", content=("what is this ?",)),), [])
    assert blind.extras == {}


def test_a_text_that_holds_the_image_token_is_a_bad_row(tiny_vlm: Vlm) -> None:
    with pytest.raises(RowError, match="reads as an image"):
        encode_prompt(tiny_vlm.processor, (Turn(role="user", content=("an <image> ?",)),), [])


def test_outer_blanks_do_not_tell_and_cut_has_no_end(tiny_vlm: Vlm) -> None:
    processor = tiny_vlm.processor
    plain = encode_response(processor, SEEING, "a red ball")
    assert encode_response(processor, SEEING, " a red ball \n") == plain
    assert plain[-1] == processor.tokenizer.eos_token_id
    assert encode_response(processor, SEEING, "a red ball", cut=True) == plain[:-1]
    assert processor.tokenizer.decode(plain[:-1]).strip() == "a red ball"
    assert stop_ids(processor, SEEING) == {processor.tokenizer.eos_token_id}


def test_prompt_and_response_are_the_templates_own_tokens(tiny_vlm: Vlm) -> None:
    processor = tiny_vlm.processor
    turns = (Turn(role="user", content=("hello",)),)
    whole = processor.apply_chat_template(
        [
            {"role": "user", "content": [{"type": "text", "text": "hello"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "a red ball"}]},
        ],
        tokenize=False,
    )
    ours = [*encode_prompt(processor, turns, []).input_ids.tolist(), *encode_response(processor, turns, "a red ball")]
    assert processor.tokenizer.decode(ours) == whole


def test_collate_pads_on_either_side() -> None:
    prompts = [PromptInputs(torch.tensor([5, 6]), {}), PromptInputs(torch.tensor([7]), {})]
    right = collate(prompts, [[8], [9, 9, 9]], pad_id=0)
    assert right.input_ids.tolist() == [[5, 6, 8, 0], [7, 9, 9, 9]]
    assert right.attention_mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert right.response_mask.int().tolist() == [[0, 0, 1, 0], [0, 1, 1, 1]]
    left = collate(prompts, [[], []], pad_id=0, side="left")
    assert left.input_ids.tolist() == [[5, 6], [0, 7]]
    assert left.attention_mask.tolist() == [[1, 1], [0, 1]]


def test_extras_follow_tokens_or_stand_one_after_another() -> None:
    one = PromptInputs(
        torch.tensor([5, 6]), {"mm_token_type_ids": torch.tensor([[0, 1]]), "pixel_values": torch.ones(1, 2, 3)}
    )
    other = PromptInputs(torch.tensor([7]), {"pixel_values": torch.ones(2, 1, 3)})
    batch = collate([one, other], [[8], [9]], pad_id=0)
    assert batch.extras["mm_token_type_ids"].tolist() == [[0, 1, 0], [0, 0, 0]]
    assert batch.extras["pixel_values"].shape == (3, 2, 3)
    assert batch.extras["pixel_values"].sum() == 6 + 6
