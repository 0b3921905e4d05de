"""What the benches of training run on: a random LLaVA of a chosen size, and rows of exact token lengths.

The default is the shape of the note that the goals come from: language model h640 x 8 layers, vocabulary 4096, a small
vision tower that is frozen, 576 image tokens in a prompt of 726. Weights are random: time and memory do not mind.
"""

import io
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tiny_models import TEMPLATE, byte_tokenizer

from blindpo.rows.row import IMAGE, BlindResponse, ImageRef, PreferenceRow, Provenance, Turn

PATCH = 14
TIMED_AFTER = 2
"""Steps of a round before those that are timed: one makes the optimizer's state, one is measured for memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is measured."""

    hidden: int = 640
    layers: int = 8
    heads: int = 10
    mlp: int = 1728
    vocabulary: int = 4096
    side: int = 336
    """Pixels of an image's side; (side / 14)^2 image tokens."""
    prompt: int = 726
    """Tokens of the prompt, the image's among them."""
    responses: tuple[int, ...] = (60, 64, 56)
    """Tokens of the chosen response, and of those that it is preferred to."""
    rows_per_step: int = 1
    steps: int = TIMED_AFTER + 2
    """Of a round."""
    lora: bool = False
    checkpointing: bool = False

    @property
    def image_tokens(self) -> int:
        return (self.side // PATCH) ** 2

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def case_of(values: dict[str, Any]) -> Case:
    return Case(**{**values, "responses": tuple(values["responses"])})


def save_model(case: Case, folder: Path) -> Path:
    """The model and its processor, as an ordinary folder."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=192, intermediate_size=768, num_hidden_layers=6, num_attention_heads=4,
        image_size=case.side, patch_size=PATCH,
    )  # fmt: skip
    text = LlamaConfig(
        vocab_size=case.vocabulary, hidden_size=case.hidden, intermediate_size=case.mlp,
        num_hidden_layers=case.layers, num_attention_heads=case.heads, num_key_value_heads=case.heads,
        max_position_embeddings=8192, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=3, image_token_index=3, vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )  # fmt: skip
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": case.side, "width": case.side}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": case.side}, crop_size=size),
        tokenizer=byte_tokenizer(), patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE,
    )  # fmt: skip
    processor.save_pretrained(folder)
    return folder


def rows(case: Case, number: int, processor: Any) -> list[PreferenceRow]:
    """`number` rows whose prompts and responses have exactly the case's lengths in tokens."""
    from blindpo.models.vlm.prompt import encode_prompt, encode_response

    filler = "".join(chr(ord("a") + n % 26) for n in range(max(case.prompt, *case.responses)))

    def turn(size: int) -> tuple[Turn, ...]:
        return (Turn(role="user", content=(IMAGE, filler[:size])),)

    picture = Image.new("RGB", (case.side, case.side))
    base = len(encode_prompt(processor, turn(1), [picture]).input_ids) - 1
    turns = turn(case.prompt - base)
    ends = len(encode_response(processor, turns, filler[:1])) - 1
    chosen, *others = ((filler[n:] + filler[:n])[: size - ends] for n, size in enumerate(case.responses))
    generator = np.random.default_rng(0)
    made = []
    for n in range(number):
        sink = io.BytesIO()
        Image.fromarray(generator.integers(0, 256, (case.side, case.side, 3), dtype=np.uint8)).save(sink, "PNG")
        blind = [
            BlindResponse(text=text, model="bench", temperature=1.0, max_new_tokens=max(case.responses), seed=n)
            for text in others[1:]
        ]
        made.append(
            PreferenceRow(
                row_id=f"row-{n}",
                prompt=turns,
                images=(ImageRef(data=sink.getvalue()),),
                chosen=chosen,
                rejected=others[0],
                blind=tuple(blind),
                provenance=Provenance(source="bench", source_row_id=str(n), dialogue_id=str(n)),
            )
        )
    return made


def pairs(made: list[PreferenceRow]) -> list[dict[str, Any]]:
    """The two pair data sets of the released code, as TRL takes them: chosen against rejected, chosen against blind."""

    def said(role: str, *parts: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": role, "content": list(parts)}]

    return [
        {
            "prompt": said("user", {"type": "image"}, {"type": "text", "text": row.prompt[0].text}),
            "chosen": said("assistant", {"type": "text", "text": row.chosen}),
            "rejected": said("assistant", {"type": "text", "text": text}),
            "images": [Image.open(io.BytesIO(image.data)) for image in row.images],
        }
        for row in made
        for text in (row.rejected, *(answer.text for answer in row.blind))
    ]
