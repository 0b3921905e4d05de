"""What a finished run leaves: the model or adapter as an ordinary folder, its record, and a look at what was saved."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch

from blindpo.errors import ModelError
from blindpo.models.source import ModelSource, resolve_model
from blindpo.models.vlm import Vlm, load_vlm
from blindpo.runs.manifest import write_json
from blindpo.train.arguments import WITHOUT_EFFECT
from blindpo.train.collator import Collator
from blindpo.train.config import TrainConfig
from blindpo.train.examples import Example

RELOAD_TOLERANCE_NATS: Final = 1e-3


def save_run(
    model: Any, start: Vlm, config: TrainConfig, *,
    out: Path, arguments: Mapping[str, Any], base: ModelSource, packing: Mapping[str, Any],
) -> None:  # fmt: skip
    """Weights or adapter, processor with its template, and the run's record."""
    model.eval()
    model.config.use_cache = True  # transformers' loop turns it off, and would leave it so in config.json
    model.save_pretrained(out)
    start.processor.save_pretrained(out)
    named = base.given if base.path is None else os.path.relpath(base.path, out)
    options = {key: value for key, value in arguments.items() if key not in WITHOUT_EFFECT}
    write_json(out / "run.json", {"base": named, **asdict(config), "arguments": options, "packing": dict(packing)})


def read_back(out: Path, model: Any, collator: Collator, example: Example) -> None:
    """Raises ModelError where the saved model gives other log-probabilities than the one in memory."""
    device = next(model.parameters()).device
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    saved = load_vlm(resolve_model(out), dtype=dtype, device=str(device)).model
    batch = collator.scored([(example, example.responses)])
    with torch.no_grad():
        here_S, there_S = (collator.logps(each, batch) for each in (model, saved))
    difference = float((here_S - there_S).abs().max())
    if not difference <= RELOAD_TOLERANCE_NATS:
        raise ModelError(f"{out}: the saved model's log-probabilities differ by {difference} nats; do not use it")
