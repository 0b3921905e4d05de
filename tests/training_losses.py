"""Losses, gradients and metrics of small training runs, as several tests compare them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.collator import BLIND, CHOSEN, REJECTED, Collator
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.loss import Rewards, preference_loss
from blindpo.training.methods import METHODS


def metrics(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def same_metrics(one: Path, other: Path) -> None:
    for left, right in zip(metrics(one), metrics(other), strict=True):
        left["epoch"] = right["epoch"]  # transformers counts it in micro-batches
        assert left == pytest.approx(right, rel=2e-4, abs=2e-5)


@dataclass(frozen=True)
class Graded:
    """The mean loss over some rows, and its gradients by the parameter's name."""

    loss: float
    gradients: dict[str, torch.Tensor]


def graded(base: Path, rows: list[Any], *, method: str, reference: Any, beta: float = 0.3) -> Graded:
    """By the plain path: collator, preference_loss."""
    vlm = load_vlm(resolve_model(base), device="cpu")
    images = ImageTensors(vlm.processor)
    examples = [make_example(each, images, use_blind=METHODS[method].uses_blind, max_length=None) for each in rows]
    collator = Collator(images, pad_id=vlm.pad_id)
    batch = collator(examples)
    with torch.no_grad():
        reference_S = collator.logps(reference, batch)
    r_S = beta * (collator.logps(vlm.model, batch) - reference_S)
    kinds = [batch["kind_S"] == kind for kind in (CHOSEN, REJECTED, BLIND)]
    rewards = (Rewards(r_S[kind_S], batch["tokens_S"][kind_S], batch["row_S"][kind_S]) for kind_S in kinds)
    terms = preference_loss(*rewards, method=METHODS[method], beta=beta)
    loss = terms.per_row_N.mean()
    loss.backward()
    found = {name: p.grad for name, p in vlm.model.named_parameters() if p.grad is not None}
    return Graded(loss.item(), found)


def moved_reference(base: Path) -> Any:
    """A reference that is a little off the model, so that rewards are not 0."""
    model = load_vlm(resolve_model(base), device="cpu").model
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=generator))
    return model
