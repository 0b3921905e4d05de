"""Tiny random models of every family that packing must be exact for, with prompts made by hand.

Whole processors of some families need torchvision; their image processors do not. So images go through the family's
image processor with the PIL backend, and ids are made here: as many image tokens as the model makes features.
Weights are scaled up so that attention matters: with the small ones of a fresh model a wrong mask would hardly show.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
import transformers as hf
from PIL import Image
from torch import Tensor

from blindpo.models.vlm.prompt import PromptInputs

VOCAB: Final = 272
"""Of the byte tokenizer, and some more."""
IMAGE_ID: Final = 3
VISION_START: Final = 268
TEXT: Final[dict[str, Any]] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
TOWER: Final[dict[str, Any]] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyFamily:
    """How to build one family's model and what its processor would make of an image."""

    config: Callable[[], Any]
    pictures: Callable[[list[Image.Image]], Mapping[str, Any]]
    """Image tensors of one prompt's images."""
    around: tuple[int, ...] = ()
    """Ids before an image's tokens."""
    token_types: str = ""
    """The name of the per-token extra, if the family has one: 1 at image tokens."""
    scale: float = 8.0
    sizes: tuple[tuple[int, int], ...] = field(default=((28, 28), (28, 28)))


def _picture(seed: int, size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def build(name: str, *, attention: str = "sdpa", seed: int = 0) -> Any:
    """The family's model in evaluation mode, the same weights for the same seed."""
    torch.manual_seed(seed)
    family = FAMILIES[name]
    model = hf.AutoModelForImageTextToText.from_config(family.config(), attn_implementation=attention)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                if not parameter.any():  # Gemma 3's projector begins at zero: its images would all be alike
                    parameter.normal_(std=0.02)
                parameter.mul_(family.scale)
    return model.eval()


def prompt(name: str, model: Any, *, images: int, seed: int = 0) -> PromptInputs:
    """A prompt of some text around `images` images, the second one in a later part; 0 images: text alone."""
    family = FAMILIES[name]
    generator = torch.Generator().manual_seed(seed)

    def words(count: int) -> list[int]:
        return torch.randint(5, 80, (count,), generator=generator).tolist()

    pictures = [_picture(seed + place, family.sizes[place % len(family.sizes)]) for place in range(images)]
    ids = [1, *words(3)]
    for picture in pictures:
        ids += [*expanded(family, model, picture), *words(4)]
    return prompt_inputs(family, ids + words(3), pictures)


def expanded(family: TinyFamily, model: Any, picture: Image.Image) -> list[int]:
    """The ids of one image."""
    return [*family.around, *[IMAGE_ID] * _num_tokens(family, model, picture)]


def prompt_inputs(family: TinyFamily, ids: list[int], pictures: list[Image.Image]) -> PromptInputs:
    """What a processor makes of ids whose image tokens are expanded already, and of the images."""
    ids_P = torch.tensor(ids)
    extras: dict[str, Tensor] = dict(_tensors(family, pictures)) if pictures else {}
    if family.token_types == "prefix":
        extras["token_type_ids"] = torch.zeros_like(ids_P)[None]
    elif family.token_types:
        extras[family.token_types] = (ids_P == IMAGE_ID).long()[None]
    return PromptInputs(ids_P, extras, 1 if family.token_types == "prefix" else 0)


def responses(*lengths: int, seed: int = 9) -> list[list[int]]:
    """Random responses that begin with the same token, so that a neighbour's prediction shows."""
    generator = torch.Generator().manual_seed(seed)
    return [[7, *torch.randint(5, 80, (length - 1,), generator=generator).tolist()] for length in lengths]


def _tensors(family: TinyFamily, pictures: list[Image.Image]) -> Mapping[str, Tensor]:
    made = family.pictures(pictures)
    return {key: torch.as_tensor(np.asarray(value)) for key, value in made.items() if key not in UNUSED}


UNUSED: Final = ("num_patches", "rows", "cols", "num_crops")


def _num_tokens(family: TinyFamily, model: Any, picture: Image.Image) -> int:
    tensors = _tensors(family, [picture])
    with torch.no_grad():
        features = model.get_image_features(**tensors, return_dict=True).pooler_output
    features = torch.cat(list(features)) if isinstance(features, list | tuple) else features
    return int(features.numel() // model.config.get_text_config().hidden_size)


def _clip_tower() -> hf.CLIPVisionConfig:
    return hf.CLIPVisionConfig(**TOWER, image_size=28, patch_size=14, projection_dim=16)


def _siglip_tower(**more: Any) -> hf.SiglipVisionConfig:
    return hf.SiglipVisionConfig(**{**TOWER, "image_size": 28, "patch_size": 14, **more})


def _llava() -> Any:
    return hf.LlavaConfig(
        vision_config=_clip_tower(), text_config=hf.LlamaConfig(**TEXT), image_token_id=IMAGE_ID,
        image_token_index=IMAGE_ID, vision_feature_layer=-2, vision_feature_select_strategy="default",
    )  # fmt: skip


def _llava_mistral() -> Any:
    return hf.LlavaConfig(
        vision_config=_clip_tower(), text_config=hf.MistralConfig(**TEXT, sliding_window=8), image_token_id=IMAGE_ID,
        image_token_index=IMAGE_ID, vision_feature_layer=-2, vision_feature_select_strategy="default",
    )  # fmt: skip


def _llava_next() -> Any:
    return hf.LlavaNextConfig(
        vision_config=_clip_tower(), text_config=hf.LlamaConfig(**TEXT), image_token_id=IMAGE_ID,
        image_token_index=IMAGE_ID, image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]], vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )  # fmt: skip


def _llava_onevision() -> Any:
    return hf.LlavaOnevisionConfig(
        vision_config=_siglip_tower(), text_config=hf.Qwen2Config(**TEXT), image_token_id=IMAGE_ID,
        image_token_index=IMAGE_ID, video_token_index=270, image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]],
        vision_feature_layer=-1, vision_feature_select_strategy="full",
    )  # fmt: skip


ROPE: Final = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
QWEN_IDS: Final = {
    "image_token_id": IMAGE_ID, "video_token_id": 270, "vision_start_token_id": VISION_START,
    "vision_end_token_id": 269,
}  # fmt: skip


def _qwen2_vl() -> Any:
    return hf.Qwen2VLConfig(
        text_config={**TEXT, "rope_parameters": ROPE},
        vision_config={"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 7,
                       "spatial_merge_size": 2},
        **QWEN_IDS,
    )  # fmt: skip


def _qwen2_5_vl() -> Any:
    return hf.Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": ROPE},
        vision_config={"depth": 2, "hidden_size": 16, "intermediate_size": 32, "out_hidden_size": 32, "num_heads": 2,
                       "patch_size": 7, "spatial_merge_size": 2, "window_size": 28, "fullatt_block_indexes": [1]},
        **QWEN_IDS,
    )  # fmt: skip


def _qwen3_vl() -> Any:
    return hf.Qwen3VLConfig(
        text_config={**TEXT, "head_dim": 8, "rope_parameters": {**ROPE, "mrope_interleaved": True}},
        vision_config={"depth": 2, "hidden_size": 16, "intermediate_size": 32, "out_hidden_size": 32, "num_heads": 2,
                       "patch_size": 7, "spatial_merge_size": 2, "num_position_embeddings": 64,
                       "deepstack_visual_indexes": [0, 1]},
        **QWEN_IDS,
    )  # fmt: skip


def _idefics3() -> Any:
    return hf.Idefics3Config(
        vision_config={**TOWER, "image_size": 28, "patch_size": 7}, text_config=hf.LlamaConfig(**TEXT),
        image_token_id=IMAGE_ID, scale_factor=2, pad_token_id=0,
    )  # fmt: skip


def _smolvlm() -> Any:
    return hf.SmolVLMConfig(
        vision_config={**TOWER, "image_size": 28, "patch_size": 7}, text_config=hf.LlamaConfig(**TEXT),
        image_token_id=IMAGE_ID, scale_factor=2, pad_token_id=0,
    )  # fmt: skip


def _internvl() -> Any:
    return hf.InternVLConfig(
        vision_config={**TOWER, "image_size": [28, 28], "patch_size": [7, 7]}, text_config=hf.Qwen2Config(**TEXT),
        image_token_id=IMAGE_ID, image_seq_length=4,
    )  # fmt: skip


def _gemma3(window: int) -> Any:
    text = {**TEXT, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": window,
            "layer_types": ["sliding_attention", "full_attention"]}  # fmt: skip
    return hf.Gemma3Config(
        text_config=hf.Gemma3TextConfig(**text), vision_config=_siglip_tower(patch_size=7), mm_tokens_per_image=4,
        image_token_index=IMAGE_ID, image_token_id=IMAGE_ID, boi_token_index=VISION_START, eoi_token_index=269,
    )  # fmt: skip


def _paligemma(text: Any) -> Any:
    return hf.PaliGemmaConfig(
        text_config=text, vision_config=_siglip_tower(projection_dim=32), image_token_index=IMAGE_ID,
        image_token_id=IMAGE_ID, projection_dim=32, hidden_size=32,
    )  # fmt: skip


def _with(processor: Callable[[], Any]) -> Callable[[list[Image.Image]], Mapping[str, Any]]:
    return lambda pictures: processor()(images=[pictures], return_tensors="np")


def _flat(processor: Callable[[], Any]) -> Callable[[list[Image.Image]], Mapping[str, Any]]:
    return lambda pictures: processor()(images=pictures, return_tensors="np")


EDGE: Final = {"height": 28, "width": 28}
_CLIP = _flat(lambda: hf.CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size=EDGE))
_SIGLIP = _flat(lambda: hf.SiglipImageProcessorPil(size=EDGE))
_NEXT = _flat(
    lambda: hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": 28}, crop_size=EDGE, image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]]
    )
)
_ONEVISION = _flat(
    lambda: hf.LlavaOnevisionImageProcessorPil(size=EDGE, image_grid_pinpoints=[[28, 56], [56, 28], [56, 56]])
)
_QWEN = _flat(
    lambda: hf.Qwen2VLImageProcessorPil(
        patch_size=7, merge_size=2, size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    )
)
_IDEFICS = _with(lambda: hf.Idefics3ImageProcessorPil(size={"longest_edge": 28}, max_image_size={"longest_edge": 28}))
_SMOL = _with(lambda: hf.SmolVLMImageProcessorPil(size={"longest_edge": 28}, max_image_size={"longest_edge": 28}))
_GOT = _flat(lambda: hf.GotOcr2ImageProcessorPil(size=EDGE, crop_to_patches=True, min_patches=1, max_patches=3))
_GEMMA = _flat(lambda: hf.Gemma3ImageProcessorPil(size=EDGE, do_pan_and_scan=False))
WIDE: Final = ((56, 28), (28, 28))

FAMILIES: Final[dict[str, TinyFamily]] = {
    "LLaVA-1.5": TinyFamily(config=_llava, pictures=_CLIP),
    "LLaVA (Mistral, window 8)": TinyFamily(config=_llava_mistral, pictures=_CLIP),
    "LLaVA-NeXT": TinyFamily(config=_llava_next, pictures=_NEXT, sizes=WIDE),
    "LLaVA-OneVision": TinyFamily(config=_llava_onevision, pictures=_ONEVISION, sizes=WIDE),
    "Qwen2-VL": TinyFamily(
        config=_qwen2_vl, pictures=_QWEN, around=(VISION_START,), token_types="mm_token_type_ids", sizes=WIDE
    ),
    "Qwen2.5-VL": TinyFamily(
        config=_qwen2_5_vl, pictures=_QWEN, around=(VISION_START,), token_types="mm_token_type_ids", sizes=WIDE
    ),
    "Qwen3-VL": TinyFamily(
        config=_qwen3_vl, pictures=_QWEN, around=(VISION_START,), token_types="mm_token_type_ids", sizes=WIDE
    ),
    "Idefics3": TinyFamily(config=_idefics3, pictures=_IDEFICS),
    "SmolVLM": TinyFamily(config=_smolvlm, pictures=_SMOL),
    "InternVL": TinyFamily(config=_internvl, pictures=_GOT, sizes=WIDE),
    "Gemma3": TinyFamily(config=lambda: _gemma3(256), pictures=_GEMMA, token_types="token_type_ids"),
    "Gemma3 (window 8)": TinyFamily(config=lambda: _gemma3(8), pictures=_GEMMA, token_types="token_type_ids"),
    "PaliGemma": TinyFamily(
        config=lambda: _paligemma(hf.GemmaConfig(**TEXT, head_dim=8)), pictures=_SIGLIP, token_types="prefix"
    ),
    "PaliGemma 2": TinyFamily(
        config=lambda: _paligemma(hf.Gemma2Config(**TEXT, head_dim=8, query_pre_attn_scalar=8, sliding_window=256)),
        pictures=_SIGLIP,
        token_types="prefix",
    ),
}
