"""What is logged of a step, under TRL's names; the blind response's beside them. Means over rows or responses."""

from collections import defaultdict
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from blindpo.train.examples import BLIND, CHOSEN, REJECTED
from blindpo.train.loss import LossTerms

_NAMES = {CHOSEN: "chosen", REJECTED: "rejected", BLIND: "blind"}


@dataclass(slots=True)
class Means:
    """Running sums and counts by name; they are saved with a checkpoint, so that a resumed run logs the same."""

    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, name: str, values: Tensor) -> None:
        """Add every element of `values` under `name`."""
        self.sums[name] += float(values.detach().double().sum())
        self.counts[name] += values.numel()

    def take(self, prefix: str = "") -> dict[str, float]:
        """All means, and start again from nothing."""
        found = {f"{prefix}{name}": self.sums[name] / count for name, count in self.counts.items() if count}
        self.sums.clear()
        self.counts.clear()
        return found

    def state(self) -> dict[str, dict[str, float]]:
        """The sums and counts as JSON."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def restore(self, state: dict[str, dict[str, float]]) -> None:
        """Take over what `state` gave."""
        self.sums.clear()
        self.counts.clear()
        self.sums.update(state["sums"])
        self.counts.update({name: int(count) for name, count in state["counts"].items()})


def record(
    means: Means,
    terms: LossTerms,
    *,
    rewards: Float[Tensor, " S"],
    logps: Float[Tensor, " S"],
    kind: Int[Tensor, " S"],
    row: Int[Tensor, " S"],
) -> None:
    """Add one batch to `means`."""
    means.add("loss", terms.total)
    means.add("loss/rejected", terms.rejected)
    chosen = rewards[kind == CHOSEN]
    for number, name in _NAMES.items():
        of_kind = kind == number
        if of_kind.any():
            means.add(f"rewards/{name}", rewards[of_kind])
            means.add(f"logps/{name}", logps[of_kind])
    for number, prefix in ((REJECTED, "rewards/"), (BLIND, "rewards/blind_")):
        against = kind == number
        if against.any():
            margins = chosen[row[against]] - rewards[against]
            means.add(f"{prefix}accuracies", (margins > 0).to(torch.float32))
            means.add(f"{prefix}margins", margins)
    if (kind == BLIND).any():
        means.add("loss/blind", terms.blind)
