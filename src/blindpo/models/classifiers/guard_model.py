"""A guard model in this process: a classifier that answers in words, prompted by its own chat template.

A vision-language guard is loaded like any VLM, a text guard as a causal language model. The template renders the whole
conversation, with the response to be judged as its last turn. Control tokens in the material are broken first: an
end-of-turn token in a response must not end the turn that quotes it.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch

from blindpo.errors import ImageError, ModelError
from blindpo.images.decode import decode_image
from blindpo.models.chat.interface import TextReply, TextRequest
from blindpo.models.vlm.load import first_line, hub_options, load_vlm, source_name
from blindpo.models.vlm.source import ModelSource, fingerprint
from blindpo.rows.row import IMAGE, Turn


class GuardModel:
    """A guard that answers greedily. `processor` is a tokenizer if the guard reads only text."""

    def __init__(
        self, name: str, model: Any, processor: Any, *, digest: str, generation_prompt: bool, batch_size: int
    ) -> None:
        self.name = name
        self.identity: dict[str, Any] = {"model": digest, "generation_prompt": generation_prompt}
        self._model = model
        self._processor = processor
        self._tokenizer = getattr(processor, "tokenizer", processor)
        self._sees = self._tokenizer is not processor
        self._generation_prompt = generation_prompt
        self._batch_size = 1 if self._sees else batch_size  # images of different sizes do not batch in all families
        self._control = sorted(control_tokens(self._tokenizer), key=len, reverse=True)

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """Yield one reply per request, in order."""
        waiting = iter(requests)
        while batch := list(islice(waiting, self._batch_size)):
            yield from self._answer(batch)

    def _answer(self, requests: list[TextRequest]) -> list[TextReply]:
        texts = [self._render(request.turns) for request in requests]
        try:
            images = [[decode_image(image.data) for image in request.images] for request in requests]
        except ImageError as error:  # with images a batch is one request
            return [TextReply(text=None, failure=error.reason)]
        inputs = self._encode(texts, images).to(self._model.device)
        if "pixel_values" in inputs:
            inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        width = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            ids = self._model.generate(
                **inputs,
                max_new_tokens=max(request.max_tokens for request in requests),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=self._pad_id(),
            )[:, width:]
        answers = self._tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [
            TextReply(text=text, model=self.identity["model"], tokens=int(ids.shape[1]))
            if text.strip()
            else TextReply(text=None, failure="the guard's answer is blank")
            for text in answers
        ]

    def _render(self, turns: tuple[Turn, ...]) -> str:
        messages = []
        for turn in turns:
            parts = [
                {"type": "image"} if part is IMAGE else {"type": "text", "text": self._broken(str(part))}
                for part in turn.content
            ]
            plain = "".join(part.get("text", "") for part in parts)
            messages.append({"role": turn.role, "content": parts if self._sees else plain})
        text: str = self._processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=self._generation_prompt
        )
        return text

    def _broken(self, text: str) -> str:
        """Return `text` with a space in each control token, so that it is read as words."""
        for token in self._control:
            text = text.replace(token, token[0] + " " + token[1:])
        return text

    def _encode(self, texts: list[str], images: list[list[Any]]) -> Any:
        bos = self._tokenizer.bos_token
        plain: dict[str, Any] = {"return_tensors": "pt", "add_special_tokens": not (bos and texts[0].startswith(bos))}
        if self._sees:
            return self._processor(text=texts, images=images[0] or None, **plain)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        return self._tokenizer(texts, padding=True, padding_side="left", **plain)

    def _pad_id(self) -> int | None:
        pad: int | None = self._tokenizer.pad_token_id
        return self._tokenizer.eos_token_id if pad is None else pad


def control_tokens(tokenizer: Any) -> set[str]:
    """Return the texts that the tokenizer reads as one control token, which would take effect even if quoted."""
    added = {str(token) for token in tokenizer.get_added_vocab()}
    return {token for token in {*added, *tokenizer.all_special_tokens} if len(token) > 1}


def load_guard(name: str, source: ModelSource, *, dtype: str, batch_size: int, generation_prompt: bool) -> GuardModel:
    """Load a guard, with a processor if it reads images, else a tokenizer. Raises ModelError with what to do."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as SEEING

    where, options = source_name(source), hub_options(source)
    digest = fingerprint(source)
    settings: dict[str, Any] = {"digest": digest, "generation_prompt": generation_prompt, "batch_size": batch_size}
    try:
        config = AutoConfig.from_pretrained(where, **options)
        if config.model_type in SEEING:
            vlm = load_vlm(source, dtype=dtype)
            return GuardModel(name, vlm.model, vlm.processor, **settings)
        tokenizer = AutoTokenizer.from_pretrained(where, **options)
        model = AutoModelForCausalLM.from_pretrained(
            where, **options, dtype=getattr(torch, dtype), use_safetensors=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"--judge {name} cannot be loaded: {first_line(error)}") from error
    if tokenizer.chat_template is None:
        raise ModelError(f"--judge {name} has no chat template; save one with its tokenizer")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return GuardModel(name, model.to(device).eval(), tokenizer, **settings)
