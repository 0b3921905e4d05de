"""FSDP2 (`fully_shard`) on a CPU mesh of two processes: packed steps are those of one process that holds all weights.

accelerate turns FSDP into DDP on a CPU (blindpo refuses that, see `training/launch.py`), so torch's own call is used
here: layers are sharded as accelerate's transformer policy would, and the same collator, log-probabilities and loss
run.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training_rows import row
from tests.two_processes import run_together

from blindpo.models.vlm.adapters import freeze_vision
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.collator import BLIND, CHOSEN, REJECTED, Collator
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.loss import Rewards, preference_loss
from blindpo.training.methods import METHODS
from blindpo.training.packing.families import family_of

STEPS = 3


def loss_of(model: Any, collator: Collator, batch: dict[str, Any], rows: int) -> torch.Tensor:
    r_S = 0.3 * collator.logps(model, batch)
    kinds = [batch["kind_S"] == kind for kind in (CHOSEN, REJECTED, BLIND)]
    rewards = (Rewards(r_S[kind_S], batch["tokens_S"][kind_S], batch["row_S"][kind_S]) for kind_S in kinds)
    terms = preference_loss(*rewards, method=METHODS["bpo"], beta=0.3)
    return terms.per_row_N.sum() / rows


def trained(base: Path, mine: list[int], *, rows: int, mesh: Any) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses and weights after some steps of SGD on the rows `mine`, of `rows` in all."""
    vlm = load_vlm(resolve_model(base), device="cpu")
    freeze_vision(vlm.model)
    images = ImageTensors(vlm.processor)
    collator = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model))
    batch = collator([make_example(row(n), images, use_blind=True, max_length=None) for n in mine])
    if mesh is not None:
        from torch.distributed.fsdp import fully_shard

        for layer in vlm.model.model.language_model.layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(vlm.model, mesh=mesh)
    optimizer = torch.optim.SGD([p for p in vlm.model.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(STEPS):
        # gradients are averaged over processes: each divides by the mean number of rows
        loss = loss_of(vlm.model, collator, batch, rows if mesh is None else rows // mesh.size())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    whole = {n: p.full_tensor() if hasattr(p, "full_tensor") else p for n, p in vlm.model.state_dict().items()}
    return losses, {name: value.detach().clone() for name, value in whole.items()}


def test_sharded_steps_are_those_of_one_process(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch.distributed.fsdp", reason="this torch has no FSDP")

    def task(rank: int) -> None:
        torch.distributed.init_process_group("gloo")
        mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
        found = trained(base, [2 * rank, 2 * rank + 1], rows=4, mesh=mesh)
        torch.save(found, tmp_path / f"{rank}.pt")

    assert run_together(task) == [0, 0]
    losses, weights = trained(base, [0, 1, 2, 3], rows=4, mesh=None)
    shards = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    for step in range(STEPS):
        assert sum(part[0][step] for part in shards) / 2 == pytest.approx(losses[step], rel=1e-5)
    assert losses[-1] < losses[0]
    for name, weight in weights.items():
        assert torch.equal(shards[0][1][name], shards[1][1][name]), name
        assert torch.allclose(shards[0][1][name], weight, atol=2e-5), name
