"""Processors for models of random weights, as TRL's trainer asks for one: nothing is downloaded.

A tokenizer of as many words as ids are used, one word an id, so that a row's text gives the very ids that our trainer
is given. The families' own processors stand around it. Qwen's needs torchvision (its video part): `pip install
'blindpo[vision]'`.
"""

from collections.abc import Sequence
from typing import Any

import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers

IMAGE_ID = 90
VISION_START = 91
PAD, BOS, EOS, UNKNOWN, VIDEO_ID, VISION_END = 0, 1, 2, 3, 89, 92
NAMES = {PAD: "<pad>", BOS: "<s>", EOS: "</s>", UNKNOWN: "<unk>", VIDEO_ID: "<|video_pad|>", IMAGE_ID: "<|image_pad|>",
         VISION_START: "<|vision_start|>", VISION_END: "<|vision_end|>"}  # fmt: skip
WORDS = [NAMES.get(number, f"w{number}") for number in range(VISION_END + 1)]


def text_of(ids: Sequence[int]) -> str:
    """The text whose ids these are; an image's run of tokens is one marker.

    [1, 90, 90, 5] is "<s> <|image_pad|> w5".
    """
    kept = [number for n, number in enumerate(ids) if number != IMAGE_ID or n == 0 or ids[n - 1] != IMAGE_ID]
    return " ".join(WORDS[number] for number in kept)


def word_tokenizer() -> hf.PreTrainedTokenizerFast:
    """One word an id."""
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=NAMES[UNKNOWN]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=NAMES[PAD], bos_token=NAMES[BOS], eos_token=NAMES[EOS],
        unk_token=NAMES[UNKNOWN],
        additional_special_tokens=[NAMES[n] for n in (VIDEO_ID, IMAGE_ID, VISION_START, VISION_END)],
    )  # fmt: skip


def llava_processor(side: int) -> Any:
    """LLaVA-1.5's, for images of `side` pixels."""
    pictures = hf.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    return hf.LlavaProcessor(
        image_processor=pictures, tokenizer=word_tokenizer(), patch_size=14, image_token=NAMES[IMAGE_ID],
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
    )  # fmt: skip


def qwen_processor(side: int) -> Any:
    """Qwen2.5-VL's; an image keeps its size where `side` is a multiple of 28. ImportError without torchvision."""
    return hf.Qwen2_5_VLProcessor(
        image_processor=hf.Qwen2VLImageProcessor(min_pixels=side * side, max_pixels=side * side),
        tokenizer=word_tokenizer(), video_processor=hf.Qwen2VLVideoProcessor(),
    )  # fmt: skip
