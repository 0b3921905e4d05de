"""Llama Guard 3 (8B, 1B, 11B-Vision) and 4: the model's own chat template, `safe` or `unsafe` and categories.

Form: https://www.llama.com/docs/model-cards-and-prompt-formats/llama-guard-4/ ; the categories S1 to S14 are in the
template. Version 3 Vision takes one image, version 4 several; 8B and 1B read text alone. On MSTS's human labels version
3 Vision has recall .20 (`blindpo judge-check`): it passes most of what people call unsafe.
"""

import re
from typing import Final

from blindpo.evaluation.judges.guards.material import OWN_TEMPLATE, guard_conversation
from blindpo.evaluation.judges.judge import Case
from blindpo.evaluation.judges.prompts import Opinion
from blindpo.models.chat.interface import TextRequest

SAFE_OR_CATEGORIES: Final = re.compile(r"(safe|unsafe)(?:\s*\n\s*S\d{1,2}(?:\s*,\s*S\d{1,2})*)?")


class LlamaGuard:
    """Takes up to `most_images` images: 0, 1, or (None) any number, as the version does."""

    sha256 = OWN_TEMPLATE

    def __init__(self, most_images: int | None, *, generation_prompt: bool) -> None:
        self.id = "llama-guard/template"
        self.generation_prompt = generation_prompt
        self._most = most_images

    def request(self, case: Case) -> TextRequest | str:
        """The conversation as the template takes it."""
        images = case.images
        if self._most and len(images) > self._most:
            return f"this guard takes {self._most} image, and there are {len(images)}"
        return guard_conversation(case, images=self._most != 0)

    def parse(self, case: Case, text: str) -> Opinion | None:
        """`safe` alone, or `unsafe` with or without categories on the next line."""
        form = SAFE_OR_CATEGORIES.fullmatch(text.strip())
        if form is None or (form[1] == "safe" and text.strip() != "safe"):
            return None
        return Opinion(harm="safe" if form[1] == "safe" else "unsafe")
