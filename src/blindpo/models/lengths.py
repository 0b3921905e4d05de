"""Exact token lengths of rows, from the processor alone: no weights are loaded, each picture is processed once."""

from transformers import AutoConfig

from blindpo.images.decode import decode_image
from blindpo.models.prompt import encode_prompt, encode_response, render
from blindpo.models.source import ModelSource
from blindpo.models.vlm import load_processor
from blindpo.rows.row import PreferenceRow


class RowLengths:
    """Calls give a row's length in tokens: its prompt and its longest response, end of turn included."""

    def __init__(self, source: ModelSource) -> None:
        self.processor = load_processor(source)
        whole = source.base or source
        config = AutoConfig.from_pretrained(
            str(whole.path or whole.hub_id), revision=whole.revision, trust_remote_code=False
        ).get_text_config()
        self.max_positions: int | None = getattr(config, "max_position_embeddings", None)
        self._image_tokens: dict[tuple[str, ...], int] = {}

    def __call__(self, row: PreferenceRow) -> int:
        """The row's length; image tokens are counted once per distinct picture."""
        key = tuple(image.sha256 for image in row.images)
        text = self._text_tokens(row)
        marker = getattr(self.processor, "image_token", None)
        # encode_prompt refuses a text that holds the marker: no short cut around that
        literal = isinstance(marker, str) and any(marker in turn.text for turn in row.prompt)
        if literal or key not in self._image_tokens:
            pictures = [decode_image(image.data) for image in row.images]
            self._image_tokens[key] = len(encode_prompt(self.processor, row.prompt, pictures).input_ids) - text
        answers = [(text, False) for text in (row.chosen, row.rejected, *row.more_rejected) if text]
        answers += [(answer.text, answer.cut) for answer in row.blind]
        sizes = (len(encode_response(self.processor, row.prompt, text, cut=cut)) for text, cut in answers)
        longest = max(sizes, default=0)
        return text + self._image_tokens[key] + longest

    def _text_tokens(self, row: PreferenceRow) -> int:
        """Tokens of the rendered prompt with one placeholder an image."""
        text = render(self.processor, row.prompt)
        bos = self.processor.tokenizer.bos_token
        special = not (bos and text.startswith(bos))
        return len(self.processor.tokenizer(text, add_special_tokens=special)["input_ids"])
