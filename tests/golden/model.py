"""The story's base model: the tests' tiny random LLaVA, taught for some seconds to answer about signs.

A model of random weights answers noise, which no judge tells apart. This one refuses some and helps with some, not
always rightly, so that measures lie strictly between 0 and 1. It is made once and used by both sides, so nothing
depends on how it came about.
"""

import io
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from tests.golden.inputs import REFUSAL, pair_scenes
from tests.tiny_models import save_tiny_llava

STEPS: Final = 350
RATE: Final = 3e-3


def save_model(folder: Path) -> None:
    """Teach and save; the loss at the end must be low enough for words."""
    save_tiny_llava(folder)
    model = LlavaForConditionalGeneration.from_pretrained(folder)
    processor = LlavaProcessor.from_pretrained(folder)
    batch = _lessons(processor)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    loss = torch.tensor(0.0)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    if loss.item() > 0.5:
        raise RuntimeError(f"the story's model learned too little to say words: its loss is {loss.item():.2f}")
    model.save_pretrained(folder)


def _lessons(processor: LlavaProcessor) -> Any:
    """All pairs with the right response, with the image and in words; labels on the response alone."""
    texts, starts, images = [], [], []
    for scene in pair_scenes():
        response = REFUSAL if scene.refused else scene.help
        for request, shown in ((scene.request, True), (scene.twin, False)):
            content = [{"type": "image"}] * shown + [{"type": "text", "text": request}]
            turns = [{"role": "user", "content": content}]
            start = processor.apply_chat_template(turns, add_generation_prompt=True)
            starts.append(start)
            texts.append(f"{start} {response}</s>")
            if shown:
                images.append(Image.open(io.BytesIO(scene.image)).convert("RGB"))
    batch = processor(text=texts, images=images, return_tensors="pt", padding=True, padding_side="right")
    labels = batch["input_ids"].clone()
    labels[batch["attention_mask"] == 0] = -100
    for line, start in enumerate(starts):
        size = int(batch["attention_mask"][line].sum())
        tail = len(processor.tokenizer(texts[line][len(start) :])["input_ids"])
        labels[line, : size - tail] = -100
    batch["labels"] = labels
    return batch
