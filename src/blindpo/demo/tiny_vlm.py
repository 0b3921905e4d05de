"""The tiny vision-language model: tokenizer, image processor and architecture, all of ordinary transformers classes.

The model is a LlavaForConditionalGeneration (CLIP vision, a projector, Llama) made from a config: about 0.2 million
parameters, less than 2 MB on disk, loaded by `AutoModelForImageTextToText` like any other. Nine patches of 12 pixels
give nine image tokens. The tokenizer is byte-level BPE: merges are learned on this project's own English (every
sentence of the demo's world and the paragraph below), so that a sentence costs about one token per word, and the 256
bytes are in the vocabulary, so that any text in any language is accepted. Nothing is downloaded.
"""

from typing import Final

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from blindpo.demo.dialogue import sentences
from blindpo.demo.draw import IMAGE_PX

PATCH_PX: Final = 12
PAD: Final = "<|pad|>"
END: Final = "<|end|>"
IMAGE_TOKEN: Final = "<image>"
SPECIAL: Final = (PAD, END, IMAGE_TOKEN, "<|system|>", "<|user|>", "<|assistant|>")
VOCABULARY: Final = 900
MAX_TOKENS: Final = 4096
PARAGRAPH: Final = (
    "A model that can see should look before it speaks. When a person asks how to do something with the thing in a "
    "picture, the words alone are often harmless, and only the picture tells whether an answer could hurt someone. "
    "A good assistant is careful and kind: it says no when there is real danger, gives the reason, and helps in all "
    "other cases. It does not refuse because a question sounds bad, and it does not agree because a question sounds "
    "nice. What it cannot see, it should not claim to know. Please tell me what is the best way to make this safe, "
    "and thank you for your help with these questions about people, food, home, work, children and the law."
)
WIDTH: Final = 64
LAYERS: Final = 2
TEMPLATE: Final = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Learn the merges; gives the same tokenizer every time."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*sentences(), PARAGRAPH], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[IMAGE_TOKEN, "<|system|>", "<|user|>", "<|assistant|>"],
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_TOKENS,
        chat_template=TEMPLATE,
    )


def build_processor() -> LlavaProcessor:
    """Build the processor that is saved beside the model's weights."""
    size = {"height": IMAGE_PX, "width": IMAGE_PX}
    eyes = CLIPImageProcessorPil(
        do_resize=True, size=size, do_center_crop=False, crop_size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return LlavaProcessor(
        image_processor=eyes,
        tokenizer=build_tokenizer(),
        patch_size=PATCH_PX,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        image_token=IMAGE_TOKEN,
        num_additional_image_tokens=1,
    )


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
