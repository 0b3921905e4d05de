"""Random-weight models of real size, and rows for them whose ids are made by hand: nothing is downloaded.

Sizes are those of the released configurations of llava-hf/llava-1.5-7b-hf and Qwen/Qwen2.5-VL-7B-Instruct; `tiny` keeps
their shape at a size that any CPU takes. Our trainer is given tensors: an image is random pixels, as many image tokens
stand in the prompt as the tower makes features. TRL's is given the same rows as text, for which a kind has a processor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf
from processors import IMAGE_ID, VIDEO_ID, VISION_END, VISION_START, llava_processor, qwen_processor
from torch import Tensor

from blindpo.models.vlm.prompt import PromptInputs
from blindpo.rows.row import PreferenceRow, Provenance
from blindpo.training.examples import Example, ImageTensors

TEXT_TOKENS = 150
RESPONSES = (60, 64, 56)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A model of one family: its configuration, and the tensors of one image with how many tokens that is."""

    config: Callable[[], Any]
    picture: Callable[[], tuple[dict[str, Tensor], int]]
    processor: Callable[[int], Any]
    """Made for images of so many pixels a side."""
    side: int
    around: tuple[int, ...] = ()
    token_types: bool = False


def _llava(tiny: bool) -> Any:
    text = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
    tower = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
    if tiny:
        text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
        tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**tower, image_size=56 if tiny else 336, patch_size=14, projection_dim=768),
        text_config=hf.LlamaConfig(
            **text, vocab_size=128 if tiny else 32064, max_position_embeddings=4096, rms_norm_eps=1e-5, pad_token_id=0
        ),
        image_token_id=IMAGE_ID, image_token_index=IMAGE_ID, vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )  # fmt: skip


def _qwen(tiny: bool) -> Any:
    text = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
            "num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 128000}  # fmt: skip
    tower = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584,
             "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31]}  # fmt: skip
    sections = [16, 24, 24]
    if tiny:
        text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
                "num_key_value_heads": 2, "vocab_size": 128, "max_position_embeddings": 2048}  # fmt: skip
        tower = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
                 "window_size": 56, "fullatt_block_indexes": [1]}  # fmt: skip
        sections = [4, 2, 2]
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections}
    return hf.Qwen2_5_VLConfig(
        text_config={**text, "rope_parameters": rope, "pad_token_id": 0},
        vision_config={**tower, "patch_size": 14, "spatial_merge_size": 2},
        image_token_id=IMAGE_ID, video_token_id=VIDEO_ID, vision_start_token_id=VISION_START,
        vision_end_token_id=VISION_END,
    )  # fmt: skip


def _llava_picture(tiny: bool) -> tuple[dict[str, Tensor], int]:
    side = 56 if tiny else 336
    return {"pixel_values": torch.rand(1, 3, side, side)}, (side // 14) ** 2


def _qwen_picture(tiny: bool) -> tuple[dict[str, Tensor], int]:
    side = 4 if tiny else 48  # patches: 672 pixels, 576 tokens after merging
    grid = torch.tensor([[1, side, side]])
    return {"pixel_values": torch.rand(side * side, 3 * 2 * 14 * 14), "image_grid_thw": grid}, side * side // 4


def kinds(*, tiny: bool) -> dict[str, Kind]:
    """The models by name."""
    return {
        "LLaVA-1.5-7B": Kind(
            config=lambda: _llava(tiny), picture=lambda: _llava_picture(tiny), processor=llava_processor,
            side=56 if tiny else 336,
        ),
        "Qwen2.5-VL-7B": Kind(
            config=lambda: _qwen(tiny), picture=lambda: _qwen_picture(tiny), processor=qwen_processor,
            side=56 if tiny else 672, around=(VISION_START,), token_types=True,
        ),
    }  # fmt: skip


class Pictures(ImageTensors):
    """Every row's image is made at the start: no processor is asked."""

    def __init__(self) -> None:
        super().__init__(None)
        self.tensors: dict[str, dict[str, Tensor]] = {}

    def whole_prompt(self, example: Example) -> PromptInputs:
        """The example's prompt with its images."""
        extras = {**example.prompt.extras, **self.tensors[example.row.row_id]}
        return PromptInputs(example.prompt.input_ids, extras)


def examples(kind: Kind, number: int, pictures: Pictures) -> list[Example]:
    """Rows of 150 words around an image, and three responses of about 60."""
    generator = torch.Generator().manual_seed(0)

    def words(count: int) -> list[int]:
        return torch.randint(5, 80, (count,), generator=generator).tolist()

    made = []
    for n in range(number):
        tensors, tokens = kind.picture()
        ids = torch.tensor([1, *kind.around, *[IMAGE_ID] * tokens, *words(TEXT_TOKENS)])
        own = {"mm_token_type_ids": (ids == IMAGE_ID).long()[None]} if kind.token_types else {}
        row = PreferenceRow(
            row_id=f"row-{n}", prompt=(), provenance=Provenance(source="bench", source_row_id=str(n), dialogue_id="0")
        )
        pictures.tensors[row.row_id] = tensors
        chosen, rejected, blind = (tuple(words(size)) for size in RESPONSES)
        made.append(
            Example(
                row=row, prompt=PromptInputs(ids, own), image_key=(str(n),), chosen=chosen, rejected=(rejected,),
                blind=(blind,), reference=(-4.0 * len(chosen), -4.0 * len(rejected), -4.0 * len(blind)),
            )
        )  # fmt: skip
    return made
