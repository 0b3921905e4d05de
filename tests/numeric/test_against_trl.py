"""Loss and gradients of every method against TRL's DPOTrainer on pair data sets (rejected pairs, blind pairs for BPO).

TRL's mean over both sets of pairs, times two, is BPO's sum of two terms. It is a development dependency alone.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training_losses import graded, moved_reference
from tests.training_rows import row

from blindpo.images.decode import decode_image
from blindpo.models.vlm.adapters import freeze_vision
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import PreferenceRow
from blindpo.training.arguments import make_arguments
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.methods import METHODS
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.packing.families import family_of
from blindpo.training.trainer import PreferenceTrainer

BETA = 0.3


def conversation(role: str, *parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": list(parts)}]


def pair(each: Any, rejected: str) -> dict[str, Any]:
    question = {"type": "text", "text": each.prompt[0].text}
    return {
        "prompt": conversation("user", {"type": "image"}, question),
        "chosen": conversation("assistant", {"type": "text", "text": each.chosen.strip()}),
        "rejected": conversation("assistant", {"type": "text", "text": rejected.strip()}),
        "images": [decode_image(image.data) for image in each.images],
    }


@pytest.mark.parametrize(("method", "loss_type"), [("bpo", "sigmoid"), ("dpo", "sigmoid"), ("ipo", "ipo")])
def test_gradients_are_trls_on_its_pair_data_sets(base: Path, tmp_path: Path, method: str, loss_type: str) -> None:
    import datasets
    import trl

    rows = [row(n) for n in range(2)]
    pairs = [pair(each, each.rejected) for each in rows]
    if METHODS[method].uses_blind:
        pairs += [pair(each, each.blind[0].text) for each in rows]
    terms = len(pairs) / len(rows)  # TRL averages over pairs, ours is a sum of the means of each kind
    vlm = load_vlm(resolve_model(base), device="cpu")
    reference = moved_reference(base)
    arguments = trl.DPOConfig(
        output_dir=str(tmp_path), beta=BETA, use_cpu=True, report_to="none", bf16=False, max_length=None,
        per_device_train_batch_size=len(pairs), gradient_checkpointing=False, loss_type=[loss_type],
    )  # fmt: skip
    trainer = trl.DPOTrainer(
        model=vlm.model, ref_model=reference, args=arguments, train_dataset=datasets.Dataset.from_list(pairs),
        processing_class=vlm.processor,
    )  # fmt: skip
    batch = trainer.data_collator(pairs)
    loss = trainer.compute_loss(trainer.model, batch)
    (terms * loss).backward()
    ours = graded(base, rows, method=method, beta=BETA, reference=reference)
    theirs = {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}
    assert ours.loss == pytest.approx(terms * loss.item(), rel=1e-4)
    largest = max(float(gradient.abs().max()) for gradient in theirs.values())
    for name, gradient in ours.gradients.items():
        assert torch.allclose(gradient, theirs[name], rtol=1e-3, atol=1e-4 * largest), name


STEPS, ROWS_PER_STEP, LEARNING_RATE = 20, 2, 0.02


def trl_losses(base: Path, pairs: list[dict[str, Any]], out: Path) -> list[float]:
    """The loss of each of TRL's own training steps, in float64, SGD, times two."""
    import datasets
    import trl

    vlm = load_vlm(resolve_model(base), device="cpu")
    freeze_vision(vlm.model)
    arguments = trl.DPOConfig(
        output_dir=str(out), beta=BETA, use_cpu=True, report_to="none", bf16=False, max_length=None,
        per_device_train_batch_size=2 * ROWS_PER_STEP, gradient_checkpointing=False, max_steps=STEPS, optim="sgd",
        learning_rate=2 * LEARNING_RATE, lr_scheduler_type="constant", max_grad_norm=0.0, save_strategy="no",
        train_sampling_strategy="sequential", disable_tqdm=True, logging_strategy="no",
    )  # fmt: skip
    losses: list[float] = []

    class Watched(trl.DPOTrainer):  # type: ignore[misc, name-defined]
        def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
            found = super().compute_loss(*args, **kwargs)
            losses.append(2 * float((found[0] if isinstance(found, tuple) else found).detach()))
            return found

    trainer = Watched(
        model=vlm.model.double(), ref_model=load_vlm(resolve_model(base), device="cpu").model.double(), args=arguments,
        train_dataset=datasets.Dataset.from_list(pairs), processing_class=vlm.processor,
    )  # fmt: skip
    trainer.train()
    return losses


def our_losses(base: Path, rows: list[PreferenceRow], out: Path, *, packed: bool) -> list[float]:
    """The same of ours, cut into micro-batches of one row."""
    vlm = load_vlm(resolve_model(base), device="cpu")
    freeze_vision(vlm.model)
    model = vlm.model.double()
    images = ImageTensors(vlm.processor)
    collator = Collator(images, pad_id=vlm.pad_id, family=family_of(model) if packed else None)
    examples = [make_example(each, images, use_blind=True, max_length=None) for each in rows]
    with torch.no_grad():
        known = [collator.logps(model, collator.scored([(each, each.responses)])).tolist() for each in examples]
    examples = [replace(each, reference=tuple(values)) for each, values in zip(examples, known, strict=True)]
    settings = make_arguments(
        {
            "use_cpu": True, "per_device_train_batch_size": 1, "gradient_accumulation_steps": ROWS_PER_STEP,
            "max_steps": STEPS, "optim": "sgd", "learning_rate": LEARNING_RATE, "lr_scheduler_type": "constant",
            "warmup_steps": 0, "max_grad_norm": 0.0, "save_strategy": "no", "disable_tqdm": True,
            "train_sampling_strategy": "sequential",
        },
        out, has_eval=False,
    )  # fmt: skip
    out.mkdir()
    metrics = MetricsFile(out / "metrics.jsonl")
    trainer = PreferenceTrainer(
        model, settings, TrainConfig(beta=BETA), train=examples, evaluation=None, collator=collator, metrics=metrics
    )
    trainer.train()
    return [line["loss"] for line in metrics.read()]


def test_twenty_steps_have_trls_losses(base: Path, tmp_path: Path) -> None:
    rows = [row(n) for n in range(4)]
    # TRL averages over its pairs, ours is a sum of two terms: its loss times two, and twice the rate under SGD
    theirs = trl_losses(base, [pair(each, t) for each in rows for t in (each.rejected, each.blind[0].text)], tmp_path)
    for packed in (True, False):
        ours = our_losses(base, rows, tmp_path / str(packed), packed=packed)
        assert len(ours) == len(theirs) == STEPS
        assert ours == pytest.approx(theirs, rel=0, abs=1e-6)
        assert ours[0] - min(ours) > 0.5  # it moves
