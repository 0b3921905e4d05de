"""A tiny vision-language model with a real transformers architecture: CLIP vision, a projector, Llama.

It is a LlavaForConditionalGeneration made from a config: about 0.2 million parameters, less than 2 MB on disk, loaded
by `AutoModelForImageTextToText` like any other. Nine patches of 12 pixels give nine image tokens.
"""

from typing import Final

import torch
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from blindpo.demo.draw import IMAGE_PX
from blindpo.demo.text_model import IMAGE_TOKEN, MAX_TOKENS, PATCH_PX

WIDTH: Final = 64
LAYERS: Final = 2


def build_model(processor: LlavaProcessor, *, seed: int) -> LlavaForConditionalGeneration:
    """Build a model with random weights that depend on `seed` alone."""
    tokenizer = processor.tokenizer
    vision = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=LAYERS, num_attention_heads=4,
        image_size=IMAGE_PX, patch_size=PATCH_PX, projection_dim=WIDTH,
    )  # fmt: skip
    language = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=MAX_TOKENS, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=vision, text_config=language, vision_feature_layer=-1, vision_feature_select_strategy="default",
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN), image_seq_length=(IMAGE_PX // PATCH_PX) ** 2,
        tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    return model
