"""What a family's processor does for training, made by hand where the real one needs torchvision."""

from types import SimpleNamespace
from typing import Any

from torch import Tensor

from tests.tiny_families import FAMILIES, IMAGE_ID, expanded, prompt_inputs
from tests.tiny_models import TEMPLATE, byte_tokenizer


class HandProcessor:
    """The processor of a model that `build` made, with the byte tokenizer."""

    image_token = "<image>"
    image_processor = SimpleNamespace()

    def __init__(self, name: str, model: Any) -> None:
        self.name, self.model = name, model
        self.tokenizer = byte_tokenizer()

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        return self.tokenizer.apply_chat_template(messages, chat_template=TEMPLATE, **options)

    def __call__(self, *, text: list[str], images: Any, add_special_tokens: bool, **_: Any) -> dict[str, Tensor]:
        family, pictures = FAMILIES[self.name], list(images or [])
        left = iter(pictures)
        ids: list[int] = []
        for token in self.tokenizer(text[0], add_special_tokens=add_special_tokens)["input_ids"]:
            ids += [token] if token != IMAGE_ID else expanded(family, self.model, next(left))
        made = prompt_inputs(family, ids, pictures)
        return {"input_ids": made.input_ids[None], **made.extras}


class PaliGemmaHandProcessor(HandProcessor):
    """A name that tells the family, as its processors' names do."""


def hand_processor(name: str, model: Any) -> HandProcessor:
    """The processor of the family `name`."""
    return (PaliGemmaHandProcessor if name.startswith("PaliGemma") else HandProcessor)(name, model)
