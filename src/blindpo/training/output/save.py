"""Save a finished run: model or adapter as an ordinary folder, record and card; and read the weights back."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch

from blindpo.errors import ModelError
from blindpo.jobs.manifest import versions, write_json, write_text
from blindpo.models.vlm.attention import use_attention
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import ModelSource, resolve_model
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example
from blindpo.training.launch import TrainEngine
from blindpo.training.output.card import CardFacts, image_licences, model_card

RELOAD_NATS: Final = {torch.float32: 1e-4, torch.bfloat16: 1e-3, torch.float16: 1e-3}
"""Largest difference per token, by the precision of the weights; the same numbers in the same order differ by 0."""


def save_run(
    model: Any, start: Vlm, config: TrainConfig, *,
    out: Path, base: ModelSource, record: Mapping[str, Any], state: dict[str, Any] | None,
) -> None:  # fmt: skip
    """Save weights or adapter, the processor with its template, and `record` in run.json.

    `state` holds all weights where processes share them.
    """
    model.eval()
    model.config.use_cache = True  # transformers' loop turns it off, and config.json would keep it off
    model.save_pretrained(out, **({} if state is None else {"state_dict": state}))
    start.processor.save_pretrained(out)
    named = base.given if base.path is None else os.path.relpath(base.path, out)
    write_json(out / "run.json", {"base": named, **asdict(config), **record})


def write_model_card(
    out: Path, config: TrainConfig, examples: Sequence[Example], manifest: Mapping[str, Any], *,
    base: ModelSource, identity: Mapping[str, Any], engine: TrainEngine,
) -> None:  # fmt: skip
    """Write the model card, RUN/README.md."""
    recipe = {name: value for name, value in identity.items() if name not in ("command", "model", "data", "eval")}
    facts = CardFacts(
        base=base.given if base.path is None else base.path.resolve().name,
        is_hub_id=base.path is None,
        method=config.method,
        is_adapter=config.lora,
        data_hash=str(identity["data"]),
        counts=manifest["counts"],
        licences=image_licences(example.row for example in examples),
        recipe=recipe,
        versions=versions(),
        final=manifest["final"],
        warnings=manifest["warnings"],
        policy=manifest["before"],
        engine=str(engine),
        steps=manifest["steps"],
    )
    write_text(out / "README.md", model_card(facts))


def read_back(out: Path, model: Any, config: TrainConfig, collator: Collator, *, example: Example) -> None:
    """Raises ModelError where the saved model gives other log-probabilities than the one in memory."""
    device = next(model.parameters()).device
    dtype = config.dtype if config.load_in_4bit else str(next(model.parameters()).dtype).removeprefix("torch.")
    saved = load_vlm(resolve_model(out), dtype=dtype, device=str(device), load_in_4bit=config.load_in_4bit).model
    use_attention(saved, model.config.get_text_config()._attn_implementation)  # in half precision another one is off
    batch = collator.scored([(example, example.responses)])
    with torch.no_grad():
        here_S, there_S = (collator.logps(each, batch) for each in (model, saved))
    tokens_S = torch.tensor([max(1, len(response)) for response in example.responses], device=here_S.device)
    difference = float(((here_S - there_S) / tokens_S).abs().max())
    if not difference <= RELOAD_NATS[saved.dtype]:
        raise ModelError(
            f"{out}: the saved model's log-probabilities differ by {difference:.3g} nats a token "
            f"({RELOAD_NATS[saved.dtype]} are allowed); do not use it"
        )
