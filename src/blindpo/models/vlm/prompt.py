"""Turn conversations and images into tokens with the processor's own chat template, for every model family alike.

A response is what the template renders after the generation prompt, up to and including its end of turn; surrounding
white space is stripped, so that only content distinguishes a model's response from a human one. It is tokenized after
the generation prompt's last words, since some tokenizers add a space to a text on its own.

Legend: B sequences, L padded length, P prompt tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Int
from PIL import Image
from torch import Tensor

from blindpo.errors import RowError
from blindpo.models.vlm.padding import padded
from blindpo.rows.row import IMAGE, Turn

SENTINEL: Final = "blindpo-response"
PER_TOKEN: Final = ("token_type_ids", "mm_token_type_ids")
"""Extras with one value per token, padded like the tokens; all others belong to images."""

NOT_EXTRAS: Final = ("input_ids", "attention_mask", "labels")
"""Outputs that we make ourselves; PaliGemma's processor adds labels, for which its model would compute its own loss."""


@dataclass(frozen=True, slots=True)
class PromptInputs:
    """One tokenized prompt, image tokens expanded; `extras` holds the processor's other outputs."""

    input_ids: Int[Tensor, " P"]
    extras: dict[str, Tensor]
    response_type: int = 0
    """The token type of a response, if the extras have token types."""


@dataclass(frozen=True, slots=True)
class SequenceBatch:
    """Prompts, each followed by a response or by nothing, as one rectangle; `response_mask` is True on responses."""

    input_ids: Int[Tensor, "B L"]
    attention_mask: Int[Tensor, "B L"]
    response_mask: Bool[Tensor, "B L"]
    extras: dict[str, Tensor]

    def model_inputs(self, device: torch.device | str, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the keyword arguments of the model's forward on `device`; pixels in `dtype`."""
        named = {"input_ids": self.input_ids, "attention_mask": self.attention_mask, **self.extras}
        return {
            name: value.to(device=device, dtype=dtype if value.is_floating_point() else None)
            for name, value in named.items()
        }


@dataclass(frozen=True, slots=True)
class _Frame:
    """The text that a template puts around a response, and the ids of the words right before it."""

    anchor: str
    anchor_ids: tuple[int, ...]
    lead: str
    tail_ids: tuple[int, ...]


_FRAMES: "WeakKeyDictionary[Any, dict[tuple[object, ...], _Frame]]" = WeakKeyDictionary()


def render(processor: Any, turns: Sequence[Turn], *, response: str | None = None) -> str:
    """Render `turns` with the template: with the generation prompt, or with `response` as the assistant's turn."""
    messages = [{"role": turn.role, "content": _content(turn)} for turn in turns]
    if response is not None:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": response}]})
    text: str = processor.apply_chat_template(messages, add_generation_prompt=response is None, tokenize=False)
    return text


def _content(turn: Turn) -> list[dict[str, str]]:
    return [{"type": "image"} if part is IMAGE else {"type": "text", "text": str(part)} for part in turn.content]


def encode_prompt(processor: Any, turns: Sequence[Turn], images: Sequence[Image.Image]) -> PromptInputs:
    """Tokenize `turns` up to the generation prompt. Raises RowError if a text holds the model's image token.

    With the tiny LLaVA of the tests (4 tokens per image) "<image>" becomes 4 ids and `extras` has `pixel_values`.
    """
    marker = getattr(processor, "image_token", None)
    if isinstance(marker, str) and any(marker in turn.text for turn in turns):
        raise RowError(f"a text holds {marker!r}, which the model reads as an image", field="prompt")
    text = render(processor, turns)
    bos = processor.tokenizer.bos_token
    encoding = processor(
        text=[text],
        images=padded(processor, images) or None,
        return_tensors="pt",
        add_special_tokens=not (bos and text.startswith(bos)),
    )
    extras = {name: value for name, value in encoding.items() if name not in NOT_EXTRAS}
    return PromptInputs(encoding["input_ids"][0], extras, response_token_type(processor))


def encode_response(processor: Any, turns: Sequence[Turn], text: str, *, cut: bool = False) -> list[int]:
    """Return the ids of the response `text` after `turns`, with the end of turn unless it was `cut`.

    " a ball \\n" and "a ball" give the same ids.
    """
    frame = _frame(processor, turns)
    ids = _ids(processor, frame.anchor + frame.lead + text.strip())
    num_anchor = len(frame.anchor_ids)
    if tuple(ids[:num_anchor]) == frame.anchor_ids:
        ids = ids[num_anchor:]
    else:  # a token spans the border: keep the generation prompt and tokenize the response alone
        ids = _ids(processor, frame.lead + text.strip())
    return ids if cut else [*ids, *frame.tail_ids]


def stop_ids(processor: Any, turns: Sequence[Turn]) -> set[int]:
    """Return the tokens that end a turn: the tokenizer's end of sequence and the template's own."""
    eos = processor.tokenizer.eos_token_id
    return {*_frame(processor, turns).tail_ids[-1:], *([] if eos is None else [eos])}


def _ids(processor: Any, text: str) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _frame(processor: Any, turns: Sequence[Turn]) -> _Frame:
    """Return a response's frame, rendered once per shape of conversation, since templates ignore the words."""
    frames = _FRAMES.setdefault(processor, {})
    shape = tuple((turn.role, turn.num_images) for turn in turns)
    if shape not in frames:
        frames[shape] = _render_frame(processor, turns)
    return frames[shape]


def _render_frame(processor: Any, turns: Sequence[Turn]) -> _Frame:
    prompt = render(processor, turns)
    before, _, after = render(processor, turns, response=SENTINEL).rpartition(SENTINEL)
    lead = before.removeprefix(prompt) if before.startswith(prompt) else ""
    anchor = prompt[-min(len(prompt), 16) :].lstrip()
    line_start = max(anchor.rfind("\n", 0, -1), anchor.rfind(" ", 0, -1)) + 1
    anchor = anchor[line_start:]
    return _Frame(anchor, tuple(_ids(processor, anchor)), lead, tuple(_end_of_turn(processor, after)))


def _end_of_turn(processor: Any, after: str) -> list[int]:
    """Return the ids of `after` up to the first special token; the end of sequence if the template renders none."""
    tokenizer = processor.tokenizer
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    ids = _ids(processor, after)
    for index, number in enumerate(ids):
        if number in special:
            return ids[: index + 1]
    return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]


def collate(
    prompts: Sequence[PromptInputs], responses: Sequence[Sequence[int]], *, pad_id: int, side: str = "right"
) -> SequenceBatch:
    """Collate prompt i with response i, padded on `side` (left to generate); image tensors are concatenated.

    Prompts [5, 6] and [7] with responses [8] and [9, 9, 9], padded with 0 on the right:

        input_ids      5 6 8 0      attention_mask  1 1 1 0      response_mask  . . x .
                       7 9 9 9                      1 1 1 1                     . x x x
    """
    lengths = [len(p.input_ids) + len(r) for p, r in zip(prompts, responses, strict=True)]
    shape = (len(prompts), max(lengths))
    ids_BL = torch.full(shape, pad_id, dtype=torch.long)
    attention_BL = torch.zeros(shape, dtype=torch.long)
    response_BL = torch.zeros(shape, dtype=torch.bool)
    for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        start = shape[1] - lengths[i] if side == "left" else 0
        end, border = start + lengths[i], start + len(prompt.input_ids)
        ids_BL[i, start:border] = prompt.input_ids
        ids_BL[i, border:end] = torch.tensor(response, dtype=torch.long)
        attention_BL[i, start:end] = 1
        response_BL[i, border:end] = True
    return SequenceBatch(ids_BL, attention_BL, response_BL, _collate_extras(prompts, attention_BL, response_BL))


def _collate_extras(
    prompts: Sequence[PromptInputs], attention_BL: Int[Tensor, "B L"], response_BL: Bool[Tensor, "B L"]
) -> dict[str, Tensor]:
    names = dict.fromkeys(name for prompt in prompts for name in prompt.extras)
    extras: dict[str, Tensor] = {}
    for name in names:
        if name in PER_TOKEN:
            filled = torch.zeros_like(attention_BL)
            for i, prompt in enumerate(prompts):
                if name in prompt.extras:
                    in_prompt = attention_BL[i].bool() & ~response_BL[i]
                    filled[i, in_prompt] = prompt.extras[name][0].to(filled.dtype)
                    filled[i, response_BL[i]] = prompt.response_type
            extras[name] = filled
        else:
            extras[name] = stack_extras(prompts, name)
    return extras


def stack_extras(prompts: Sequence[PromptInputs], name: str) -> Tensor:
    """Concatenate on dimension 0; other dimensions are padded with zeros to the largest if they differ."""
    parts = [each.extras[name] for each in prompts if name in each.extras]
    if len({part.shape[1:] for part in parts}) > 1:
        target = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
        parts = [_grow(part, target) for part in parts]
    return torch.cat(parts)


def _grow(part: Tensor, target: Sequence[int]) -> Tensor:
    grown = part.new_zeros((part.shape[0], *target))
    grown[tuple(slice(0, size) for size in part.shape)] = part
    return grown


def response_token_type(processor: Any) -> int:
    """Return the token type of a response: 1 for PaliGemma, where only the prompt is 0; 0 for all others."""
    return 1 if "PaliGemma" in type(processor).__name__ else 0
