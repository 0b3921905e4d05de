"""Loss and gradients against TRL's DPOTrainer on the two pair data sets (rejected pairs, blind pairs).

TRL's mean over both sets of pairs, times two, is our sum of two terms. It is a development dependency alone.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.numeric.test_training_identities import graded, moved_reference
from tests.training_rows import row

from blindpo.images.decode import decode_image
from blindpo.models.source import resolve_model
from blindpo.models.vlm import load_vlm

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


def test_gradients_are_trls_on_the_two_pair_data_sets(base: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    rows = [row(n) for n in range(2)]
    pairs = [pair(each, each.rejected) for each in rows] + [pair(each, each.blind[0].text) for each in rows]
    vlm = load_vlm(resolve_model(base), device="cpu")
    reference = moved_reference(base)
    arguments = trl.DPOConfig(
        output_dir=str(tmp_path), beta=BETA, use_cpu=True, report_to="none", bf16=False, max_length=None,
        per_device_train_batch_size=len(pairs), gradient_checkpointing=False,
    )  # fmt: skip
    trainer = trl.DPOTrainer(
        model=vlm.model, ref_model=reference, args=arguments, train_dataset=datasets.Dataset.from_list(pairs),
        processing_class=vlm.processor,
    )  # fmt: skip
    batch = trainer.data_collator(pairs)
    loss = trainer.compute_loss(trainer.model, batch)
    (2 * loss).backward()
    ours = graded(base, rows, method="bpo", beta=BETA, reference=reference)
    theirs = {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}
    assert ours.loss == pytest.approx(2 * loss.item(), rel=1e-4)
    largest = max(float(gradient.abs().max()) for gradient in theirs.values())
    for name, gradient in ours.gradients.items():
        assert torch.allclose(gradient, theirs[name], rtol=1e-3, atol=1e-4 * largest), name
