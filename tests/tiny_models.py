"""A tiny LLaVA with random weights, saved as an ordinary model folder: what the tests load like any other model.

A real transformers architecture (CLIP vision, Llama text), an image processor with the PIL backend, a byte-level BPE
tokenizer that accepts any text, and a chat template. About 60 000 parameters; building and saving takes a second.
"""

from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

SPECIALS: Final = ("<pad>", "<s>", "</s>", "<image>")
IMAGE_SIZE_PX: Final = 28
PATCH_SIZE_PX: Final = 14
CHAT_TEMPLATE: Final = (
    "{{ bos_token }}"
    "{%- for message in messages -%}"
    "{{ message['role'] + ': ' }}"
    "{%- if message['content'] is string -%}{{ message['content'] }}"
    "{%- else -%}{%- for part in message['content'] -%}"
    "{%- if part['type'] == 'image' -%}{{ '<image>\\n' }}{%- else -%}{{ part['text'] }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}"
    "{{ eos_token if message['role'] == 'assistant' else '\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'assistant: ' }}{%- endif -%}"
)
SENTENCES: Final = (
    "user: what is this ? assistant: it is a red ball .",
    "user: how do i use this ? assistant: sorry , i can not help with that .",
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE with a handful of merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def tiny_processor() -> Any:
    """LlavaProcessor over the tiny tokenizer and a 28-pixel PIL image processor: 4 tokens an image."""
    image_processor = CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE_PX}, crop_size={"height": IMAGE_SIZE_PX, "width": IMAGE_SIZE_PX}
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tiny_tokenizer(),
        patch_size=PATCH_SIZE_PX,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        image_token="<image>",
        num_additional_image_tokens=1,
    )


def tiny_llava(processor: Any, *, seed: int = 0) -> Any:
    """The model with random weights, scaled up so that attention and the image matter."""
    tokenizer = processor.tokenizer
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE_SIZE_PX,
        patch_size=PATCH_SIZE_PX,
        projection_dim=32,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        image_seq_length=(IMAGE_SIZE_PX // PATCH_SIZE_PX) ** 2,
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.dim() > 1:
                    parameter.mul_(10.0 if "embed_tokens" in name else 4.0)
    return model.eval()


def save_tiny_llava(folder: Path, *, seed: int = 0) -> Path:
    """Save model, tokenizer, processor and chat template under `folder`; returns `folder`."""
    processor = tiny_processor()
    tiny_llava(processor, seed=seed).save_pretrained(folder, safe_serialization=True)
    processor.save_pretrained(folder)
    return folder
