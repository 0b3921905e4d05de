"""Metrics under TRL's names, with blind ones beside them: means over rows since the last log, and their file.

A row's rejected (blind) metrics are means over its rejected (blind) responses; rows without a blind response do not
count in the blind means. Sums are kept in float64 and saved with a checkpoint, so that a resumed run logs the same.
"""

import json
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from blindpo.jobs.manifest import write_text
from blindpo.training.loss import row_means

DURATIONS: Final = ("_runtime", "_per_second", "_preparation_time")

Sums = dict[str, tuple[float, int]]
"""By name: the sum over rows, and how many rows that is."""


class MeanMetrics:
    """Sums of metrics until they are read."""

    def __init__(self) -> None:
        self._sums: Sums = {}

    def add(self, sums: Sums) -> None:
        """Add the sums of one batch."""
        for name, (total, count) in sums.items():
            before, rows = self._sums.get(name, (0.0, 0))
            self._sums[name] = (before + total, rows + count)

    def means(self) -> dict[str, float]:
        """The mean of each metric over all rows added; what no row has is left out."""
        return {name: total / rows for name, (total, rows) in self._sums.items() if rows}

    def clear(self, *, keep: str | None = None) -> None:
        """Begin anew; sums whose names begin with `keep` go on."""
        self._sums = {name: sums for name, sums in self._sums.items() if keep is not None and name.startswith(keep)}

    @property
    def sums(self) -> Sums:
        """What was added so far."""
        return dict(self._sums)

    def restore(self, sums: dict[str, Any]) -> None:
        """Go on from sums that `sums` gave, read back from JSON."""
        self._sums = {name: (float(total), int(rows)) for name, (total, rows) in sums.items()}


def loss_sums(per_row_N: Float[Tensor, " N"]) -> Sums:
    """The loss, to be averaged over rows."""
    return {"loss": (float(per_row_N.detach().double().sum()), len(per_row_N))}


def response_sums(
    chosen_r_N: Float[Tensor, " N"], chosen_logps_N: Float[Tensor, " N"], name: str, *,
    r_K: Float[Tensor, " K"], logps_K: Float[Tensor, " K"], row_K: Int[Tensor, " K"],
) -> Sums:  # fmt: skip
    """The metrics of one kind of response, `name` "rejected" or "blind", against the chosen ones.

    Chosen rewards [1, 0], rejected [0, 2] of rows [0, 1]: accuracies are [1, 0], margins [1, -2].
    """
    prefix = "" if name == "rejected" else f"{name}_"
    values = {
        f"rewards/{name}": r_K,
        f"rewards/{prefix}accuracies": (chosen_r_N[row_K] > r_K).to(r_K.dtype),
        f"rewards/{prefix}margins": chosen_r_N[row_K] - r_K,
        f"logps/{name}": logps_K,
    }
    num_rows = len(chosen_r_N)
    having = int((torch.bincount(row_K, minlength=num_rows) > 0).sum())
    sums = {key: (_sum(row_means(value_K, row_K, num_rows)), having) for key, value_K in values.items()}
    chosen = {"rewards/chosen": chosen_r_N, "logps/chosen": chosen_logps_N} if name == "rejected" else {}
    return {**{key: (_sum(value_N), num_rows) for key, value_N in chosen.items()}, **sums}


def _sum(values_N: Float[Tensor, " N"]) -> float:
    return float(values_N.detach().double().sum())


def split_durations(logs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """`logs` without clock times, and the clock times: the first may be compared byte for byte, the second never."""
    timed = {name: value for name, value in logs.items() if name.endswith(DURATIONS)}
    return {name: value for name, value in logs.items() if name not in timed}, timed


class MetricsFile:
    """`metrics.jsonl`: one object a log, with its step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: dict[str, Any]) -> None:
        """Write one line; it is with the operating system when this returns, so a kill does not lose it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, sort_keys=True) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All whole lines."""
        if not self.path.is_file():
            return []
        text = self.path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def cut(self, step: int) -> None:
        """Drop what was logged after `step`: the resumed run logs it again."""
        kept = [json.dumps(record, sort_keys=True) + "\n" for record in self.read() if record["step"] <= step]
        write_text(self.path, "".join(kept))
