"""The base: an ordinary model folder, a tokenizer for any text, and tokens that are the processor's own."""

from pathlib import Path

import pytest
import torch

from blindpo.demo.draw import draw
from blindpo.demo.instruction import InstructionExample
from blindpo.demo.pretrain import Encoder, PretrainConfig, pretrain
from blindpo.demo.tiny_vlm import MAX_TOKENS, build_processor
from blindpo.demo.world import Scene
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.prompt import encode_prompt, encode_response
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, Turn

PROCESSOR = build_processor()


TINY = PretrainConfig(num_images=40, vision_steps=3, vision_batch=8, language_steps=3, language_batch=8)


SCENE = Scene(thing="flag", colour="red", pose=1)


@pytest.mark.parametrize("turns", [2, 4])
def test_pretraining_sees_the_tokens_that_the_processor_gives(turns: int) -> None:
    says = ("What colour is this?", "It is red.", "How do I mail this to a friend?", "Sorry, I can't help with that.")
    says = says[-turns:]
    prompt = tuple(
        Turn(role=("user", "assistant")[i % 2], content=(IMAGE, text) if i == 0 else (text,))
        for i, text in enumerate(says[:-1])
    )
    made = encode_prompt(PROCESSOR, prompt, [draw(SCENE)])
    ids, is_response = Encoder(PROCESSOR, 9).example(InstructionExample(says=says, image=0))
    response = encode_response(PROCESSOR, prompt, says[-1])
    assert ids == [*made.input_ids.tolist(), *response]
    assert sum(is_response) == len(response)
    assert tuple(made.extras["pixel_values"].shape) == (1, 3, 36, 36)


def test_the_base_is_an_ordinary_model_folder_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    pretrain(7, tmp_path / "a", TINY)
    pretrain(7, tmp_path / "b", TINY)
    vlm = load_vlm(resolve_model(tmp_path / "a"), device="cpu")
    assert vlm.fingerprint == load_vlm(resolve_model(tmp_path / "b"), device="cpu").fingerprint
    assert sum(parameter.numel() for parameter in vlm.model.parameters()) < 300_000
    assert vlm.model.config.text_config.max_position_embeddings == MAX_TOKENS
    made = encode_prompt(vlm.processor, (Turn(role="user", content=(IMAGE, "What is this?")),), [draw(SCENE)])
    with torch.inference_mode():
        logits = vlm.model(input_ids=made.input_ids[None], **made.extras).logits
    assert torch.isfinite(logits).all()
