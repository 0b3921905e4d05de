"""Train the tiny base from scratch: first to see, then to answer.

First the vision tower learns to name thing and colour (in place of a pretrained CLIP). Then, with the tower frozen so
that every image's features are computed once, the projector and the language model learn the instruction data of
`instruction.py`. Tokens are the same as the processor's (a test checks it), but faster, since every sentence is cached.
About 35 seconds on one CPU thread.

Shapes: B examples, L tokens, P image tokens, D width, R response tokens of a batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from blindpo.demo.draw import draw
from blindpo.demo.instruction import InstructionExample, Instructions
from blindpo.demo.tiny_vlm import END, IMAGE_TOKEN, build_model, build_processor
from blindpo.demo.world import COLOURS, THINGS, Scene, draw_scene
from blindpo.jobs.seeds import derive_seed

_ROLES: Final = ("user", "assistant")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainConfig:
    """Steps, batches and data of the base's training."""

    num_images: int = 2400
    """Number of images in the pool for both stages."""
    vision_steps: int = 300
    vision_batch: int = 96
    language_steps: int = 400
    language_batch: int = 64
    learning_rate: float = 3e-3
    """Peak learning rate of both stages' one-cycle schedule."""


@dataclass(slots=True)
class Learned:
    """The result of pretraining: final losses, and the vision tower's accuracy on the last batches."""

    figures: dict[str, float] = field(default_factory=dict)


def pretrain(seed: int, out: Path, config: PretrainConfig) -> Learned:
    """Train the base of one seed and save it as an ordinary model folder."""
    generator = np.random.default_rng(derive_seed(seed, "base"))
    processor = build_processor()
    model = build_model(processor, seed=derive_seed(seed, "weights"))
    pool = [draw_scene(generator) for _ in range(config.num_images)]
    pixels = _pixels(pool, processor)
    learned = Learned()
    _learn_to_see(model, pool, pixels, config=config, generator=generator, learned=learned)
    _learn_to_answer(model, pool, pixels, config=config, generator=generator, learned=learned, processor=processor)
    model.eval().save_pretrained(out)
    processor.save_pretrained(out)
    return learned


def _pixels(pool: list[Scene], processor: LlavaProcessor) -> Tensor:
    images = [draw(scene) for scene in pool]
    pixels: Tensor = processor.image_processor(images, return_tensors="pt")["pixel_values"]
    return pixels


def _optimise(parameters: list[nn.Parameter], loss: Callable[[], Tensor], *, steps: int, rate: float) -> float:
    """Run AdamW with one cycle of the learning rate; returns the mean loss of the last twentieth of the steps."""
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps, pct_start=0.15)
    last: list[float] = []
    for _ in range(steps):
        value = loss()
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        last.append(float(value.detach()))
    return float(np.mean(last[-max(1, steps // 20) :]))


def _learn_to_see(model: LlavaForConditionalGeneration, pool: list[Scene], pixels: Tensor, *, config: PretrainConfig,
                  generator: np.random.Generator, learned: Learned) -> None:  # fmt: skip
    tower = model.model.vision_tower
    things = torch.tensor([THINGS.index(scene.thing) for scene in pool])
    colours = torch.tensor([list(COLOURS).index(scene.colour) for scene in pool])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(2**31)))
        head = nn.Linear(tower.config.hidden_size, len(THINGS) + len(COLOURS))
    hits: list[float] = []

    def loss() -> Tensor:
        pick = torch.from_numpy(generator.integers(len(pool), size=config.vision_batch))
        logits = head(tower(pixels[pick]).last_hidden_state[:, 1:].mean(1))
        of_thing, of_colour = logits[:, : len(THINGS)], logits[:, len(THINGS) :]
        hits.append(float((of_thing.argmax(-1) == things[pick]).float().mean()))
        return functional.cross_entropy(of_thing, things[pick]) + functional.cross_entropy(of_colour, colours[pick])

    parameters = [*tower.parameters(), *head.parameters()]
    learned.figures["vision_loss"] = _optimise(parameters, loss, steps=config.vision_steps, rate=config.learning_rate)
    learned.figures["vision_accuracy"] = float(np.mean(hits[-max(1, config.vision_steps // 20) :]))


@torch.no_grad()
def _features(model: LlavaForConditionalGeneration, pixels: Tensor) -> Tensor:
    parts = [model.model.vision_tower(part).last_hidden_state[:, 1:] for part in torch.split(pixels, 256)]
    return torch.cat(parts)


def _learn_to_answer(model: LlavaForConditionalGeneration, pool: list[Scene], pixels: Tensor, *,
                     config: PretrainConfig, generator: np.random.Generator, learned: Learned,
                     processor: LlavaProcessor) -> None:  # fmt: skip
    features_NPD = _features(model, pixels)
    encode = Encoder(processor, features_NPD.shape[1])
    instructions = Instructions(generator, pool)
    inner = model.model

    def loss() -> Tensor:
        examples = [instructions.draw() for _ in range(config.language_batch)]
        ids_BL, is_response_BL = encode.batch(examples)
        embeds = inner.language_model.embed_tokens(ids_BL)
        images = [example.image for example in examples if example.image is not None]
        seen = inner.multi_modal_projector(features_NPD[images])
        at_image = (ids_BL == encode.image_id).unsqueeze(-1).expand_as(embeds)
        embeds = embeds.masked_scatter(at_image, seen.flatten(0, 1))
        hidden = inner.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
        logits_RV = model.lm_head(hidden[:, :-1][is_response_BL[:, 1:]])
        return functional.cross_entropy(logits_RV, ids_BL[:, 1:][is_response_BL[:, 1:]])

    parameters = [*inner.multi_modal_projector.parameters(), *inner.language_model.parameters()]
    learned.figures["language_loss"] = _optimise(
        parameters, loss, steps=config.language_steps, rate=config.learning_rate
    )


class Encoder:
    """Turns conversations into the processor's tokens, tokenizing each sentence only once."""

    def __init__(self, processor: LlavaProcessor, num_image_tokens: int) -> None:
        tokenizer: Any = processor.tokenizer
        self._encode = partial(tokenizer.encode, add_special_tokens=False)
        self._known: dict[str, list[int]] = {}
        self._num_image_tokens = num_image_tokens
        self._pad = int(tokenizer.pad_token_id)
        self.image_id = int(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))

    def sentence(self, text: str) -> list[int]:
        """Return the sentence's tokens, cached."""
        if text not in self._known:
            self._known[text] = self._encode(text)
        return self._known[text]

    def example(self, example: InstructionExample) -> tuple[list[int], list[bool]]:
        """Return the tokens of a whole conversation, and the mask of the last response (with its end of turn)."""
        ids: list[int] = []
        for turn, text in enumerate(example.says):
            ids += self.sentence(f"<|{_ROLES[turn % 2]}|>")
            if turn == 0 and example.image is not None:
                ids += [self.image_id] * self._num_image_tokens
            start = len(ids)
            ids += self.sentence(text) + self.sentence(END)
        return ids, [position >= start for position in range(len(ids))]

    def batch(self, examples: list[InstructionExample]) -> tuple[Tensor, Tensor]:
        """Return right-padded tokens and response masks; causal attention needs no mask for padding on the right."""
        encoded = [self.example(example) for example in examples]
        width = max(len(ids) for ids, _ in encoded)
        ids_BL = torch.full((len(encoded), width), self._pad)
        response_BL = torch.zeros((len(encoded), width), dtype=torch.bool)
        for line, (ids, response) in enumerate(encoded):
            ids_BL[line, : len(ids)] = torch.tensor(ids)
            response_BL[line, : len(ids)] = torch.tensor(response)
        return ids_BL, response_BL
