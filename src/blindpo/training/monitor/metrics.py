"""Metrics under TRL's names, blind ones and training health beside them: means over rows since the last log.

A row's rejected (blind) metrics are means over its rejected (blind) responses; rows without a blind response do not
count in the blind means. Sums are kept in float64 and saved with a checkpoint, so that a resumed run logs the same.
What the health figures mean, and when they are a warning, is in `health.py`.

Legend: S responses, N rows, B blind responses, M rejected responses, K responses of one kind.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from blindpo.jobs.manifest import write_text
from blindpo.training.collator import RESPONSE_KINDS, Batch
from blindpo.training.loss import row_means

SHIFT: Final = "health/chosen_shift"
STUCK: Final = "health/blind_at_log2"
CORRELATION: Final = "health/margin_length_correlation"
MOMENTS: Final = "health/_"
"""Prefix of the sums behind the correlation: over all rows so far, not since the last log."""
STUCK_MARGIN: Final = 0.02
"""Rewards nearer than this, in nats, keep BPO's blind term within 0.01 of log 2, where it began."""
DURATIONS: Final = ("_runtime", "_per_second", "_preparation_time")

Sums = dict[str, tuple[float, int]]
"""The sum over rows and the number of rows, by the name of the metric."""


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
        """Start again at 0, except for sums whose names begin with `keep`."""
        self._sums = {name: sums for name, sums in self._sums.items() if keep is not None and name.startswith(keep)}

    @property
    def sums(self) -> Sums:
        """The sums so far."""
        return dict(self._sums)

    def restore(self, sums: dict[str, Any]) -> None:
        """Go on from sums that `sums` gave and JSON stored."""
        self._sums = {name: (float(total), int(rows)) for name, (total, rows) in sums.items()}


def loss_sums(per_row_N: Float[Tensor, " N"]) -> Sums:
    """The loss, to be averaged over rows."""
    return {"loss": (float(per_row_N.detach().double().sum()), len(per_row_N))}


def kind_sums(
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


def health_sums(
    logp_shift_N: Float[Tensor, " N"], num_tokens_N: Int[Tensor, " N"], margin_B: Float[Tensor, " B"],
    row_B: Int[Tensor, " B"],
) -> Sums:  # fmt: skip
    """Sums of the chosen responses' shift per token, and of the share of each row's blind terms that have not moved.

    `logp_shift_N` is log pi - log pi_ref of the chosen responses, `margin_B` r_w - r_b. Shifts [-2, 1] over [4, 2]
    tokens: [-0.5, 0.5] per token. Margins [0.01, 1] of row 0: half of its blind terms have not moved.
    """
    num_rows = len(logp_shift_N)
    shift_N = logp_shift_N.detach() / num_tokens_N.clamp(min=1)
    stuck_N = row_means((margin_B.detach().abs() < STUCK_MARGIN).to(torch.float32), row_B, num_rows)
    having = int((torch.bincount(row_B, minlength=num_rows) > 0).sum())
    return {SHIFT: (_sum(shift_N), num_rows), STUCK: (_sum(stuck_N), having)}


def length_sums(margin_M: Float[Tensor, " M"], longer_M: Int[Tensor, " M"]) -> Sums:
    """Moments of the margins r_w - r_l and of how many tokens longer the chosen response is than the rejected one."""
    x, y = longer_M.double(), margin_M.detach().double()
    moments = {"x": x, "y": y, "xx": x * x, "yy": y * y, "xy": x * y}
    return {f"{MOMENTS}{name}": (float(values.sum()), len(margin_M)) for name, values in moments.items()}


def batch_sums(
    batch: Batch, logps_S: Float[Tensor, " S"], shift_S: Float[Tensor, " S"], *,
    per_row_N: Float[Tensor, " N"], beta: float,
) -> Iterator[Sums]:  # fmt: skip
    """Yield all sums of a micro-batch, from the log-probability of each response, its log pi - log pi_ref (`shift_S`)
    and the loss of each row."""
    yield loss_sums(per_row_N)
    logps_S, shift_S = logps_S.detach(), shift_S.detach()
    r_S = beta * shift_S
    chosen, rejected, blind = (batch["kind_S"] == kind for kind in RESPONSE_KINDS)
    row_S, tokens_S = batch["row_S"], batch["tokens_S"]
    for where, name in ((rejected, "rejected"), (blind, "blind")):
        of_kind = {"r_K": r_S[where], "logps_K": logps_S[where], "row_K": row_S[where]}
        yield kind_sums(r_S[chosen], logps_S[chosen], name, **of_kind)
    margin_B = r_S[chosen][row_S[blind]] - r_S[blind]
    yield health_sums(shift_S[chosen], tokens_S[chosen], margin_B, row_S[blind])
    margin_M = r_S[chosen][row_S[rejected]] - r_S[rejected]
    yield length_sums(margin_M, tokens_S[chosen][row_S[rejected]] - tokens_S[rejected])


def _sum(values_N: Float[Tensor, " N"]) -> float:
    return float(values_N.detach().double().sum())


def with_correlation(means: Mapping[str, float]) -> dict[str, float]:
    """`means` with the correlation in place of the moments; without it where a variance is 0.

    Margins [1, 2, 3] at lengths [0, 2, 4] correlate with 1.
    """
    moments = {name.removeprefix(MOMENTS): value for name, value in means.items() if name.startswith(MOMENTS)}
    rest = {name: value for name, value in means.items() if not name.startswith(MOMENTS)}
    if not moments:
        return rest
    var_x, var_y = (moments[n * 2] - moments[n] ** 2 for n in ("x", "y"))
    if min(var_x, var_y) <= 1e-12:  # nothing varies but rounding
        return rest
    value = (moments["xy"] - moments["x"] * moments["y"]) / math.sqrt(var_x * var_y)
    return {**rest, CORRELATION: max(-1.0, min(1.0, value))}


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
