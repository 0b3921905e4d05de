"""Exact token lengths of rows from the processor alone, without loading weights or reading images.

In every family an image's number of tokens depends on its size. Most processors can tell the number for a size; it is
checked against processed images of the first sizes, and if it is wrong (Idefics3 writes words between its tiles) a
blank image of each size is processed instead.
"""

from collections.abc import Sequence
from typing import Final

from PIL import Image
from transformers import AutoConfig

from blindpo.models.vlm.load import load_processor
from blindpo.models.vlm.padding import padded_size
from blindpo.models.vlm.prompt import encode_prompt, encode_response, render
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.row import PreferenceRow

CHECKED_SIZES: Final = 12

Sizes = tuple[tuple[int, int], ...]
"""(width, height) of each of a row's images, in order."""


class RowLengths:
    """Call it for a row's length in tokens: its prompt and its longest response, end of turn included."""

    def __init__(self, source: ModelSource) -> None:
        self.processor = load_processor(source)
        whole = source.base or source
        config = AutoConfig.from_pretrained(
            str(whole.path or whole.hub_id), revision=whole.revision, trust_remote_code=False
        ).get_text_config()
        self.max_positions: int | None = getattr(config, "max_position_embeddings", None)
        self._image_tokens: dict[Sizes, int] = {}
        self._tells = hasattr(self.processor, "_get_num_multimodal_tokens")
        self._num_checked = 0

    def __call__(self, row: PreferenceRow, sizes: Sequence[tuple[int, int]]) -> int:
        """Return the length of a row with images of `sizes`, (width, height), upright. Raises RowError."""
        key = tuple(sizes)
        text = self._text_tokens(row)
        marker = getattr(self.processor, "image_token", None)
        # encode_prompt must see a text that holds the marker, since it refuses it
        literal = isinstance(marker, str) and any(marker in turn.text for turn in row.prompt)
        if literal or key not in self._image_tokens:
            self._image_tokens[key] = self._count(row, key, text, literal=literal)
        answers = [(text, False) for text in (row.chosen, row.rejected, *row.more_rejected) if text]
        answers += [(answer.text, answer.cut) for answer in row.blind]
        longest = max(
            (len(encode_response(self.processor, row.prompt, text, cut=cut)) for text, cut in answers), default=0
        )
        return text + self._image_tokens[key] + longest

    def _count(self, row: PreferenceRow, sizes: Sizes, text: int, *, literal: bool) -> int:
        """Return the tokens that the images add to the text with one placeholder each."""
        announced = self._told(sizes) if self._tells and sizes and not literal else None
        if announced is not None and self._num_checked >= CHECKED_SIZES:
            return announced
        blanks = [Image.new("RGB", size) for size in sizes]
        exact = len(encode_prompt(self.processor, row.prompt, blanks).input_ids) - text
        if announced is not None:
            self._num_checked += 1
            self._tells = announced == exact
        return exact

    def _told(self, sizes: Sizes) -> int:
        """Return the processor's own count for images of `sizes`, less one placeholder each."""
        shapes = [(height, width) for width, height in (padded_size(self.processor, size) for size in sizes)]
        counts = self.processor._get_num_multimodal_tokens(image_sizes=shapes)["num_image_tokens"]
        return int(sum(counts)) - len(sizes)

    def _text_tokens(self, row: PreferenceRow) -> int:
        """Return the tokens of the rendered prompt with one placeholder per image."""
        text = render(self.processor, row.prompt)
        bos = self.processor.tokenizer.bos_token
        special = not (bos and text.startswith(bos))
        return len(self.processor.tokenizer(text, add_special_tokens=special)["input_ids"])
