"""Warn when training goes wrong: likelihood displacement, stuck blind terms, learned length, infinite numbers.

Displacement: preference losses only widen a margin, so the chosen response may get less likely as long as the rejected
one falls faster (arXiv 2410.08847). Stuck: where a blind response is (nearly) the chosen one, its term stays where it
began (at log 2 under BPO) and teaches nothing; every run begins there, so the warning waits until the other term has
moved. Length: a margin that correlates with the difference in length has learned to be long (arXiv 2403.19159).
The figures are logged with the metrics (`metrics.py`). Warnings are a function of the logged records alone, so a
resumed run has the same.

Legend: N rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from blindpo.errors import TrainingError
from blindpo.training.monitor.metrics import CORRELATION, SHIFT, STUCK, STUCK_MARGIN

MOVED_MARGIN: Final = 5 * STUCK_MARGIN
"""Mean margin over the rejected responses from which on a blind term should have moved too: while it is smaller the
policy is still at its reference, and nothing can be said of the blind responses."""
HEALTH_WINDOW: Final = 20
"""Number of logs that a warning is averaged over."""
LOW_SHIFT: Final = -0.1
"""Nats per token: chosen tokens have become 10 % less likely."""
START_REWARD: Final = 0.05
"""Before the first step every reward is 0 but for rounding; half precision costs less than this in a mean."""
HIGH_STUCK: Final = 0.5
HIGH_CORRELATION: Final = 0.5


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning about a run: its kind, the steps of the logs at which it first and last held, and a text with the
    figures of the first."""

    kind: str
    step: int
    text: str
    last: int


def warnings(records: Sequence[Mapping[str, Any]], *, at_start: str) -> list[Warned]:
    """What a run's logged records show, each kind once: where it first held over a window of logs, and where last.

    `at_start` is the method's `pair_at_start`.
    """
    logs = [record for record in records if "loss" in record]
    by_kind: dict[str, Warned] = {}
    for end in range(HEALTH_WINDOW, len(logs) + 1):
        for warned in window_warnings(logs[end - HEALTH_WINDOW : end], at_start=at_start):
            by_kind[warned.kind] = replace(by_kind.get(warned.kind, warned), last=warned.step)
    return list(by_kind.values())


def window_warnings(window: Sequence[Mapping[str, Any]], *, at_start: str) -> list[Warned]:
    """What the last logs show; nothing where there are fewer than a window of them."""
    if len(window) < HEALTH_WINDOW:
        return []
    step = int(window[-1]["step"])
    warned = []
    shift, margin = _mean(window, SHIFT), _mean(window, "rewards/margins")
    if shift is not None and shift < LOW_SHIFT:
        grows = "while the margin grows" if margin is not None and margin > 0 else "and the margin does not grow either"
        text = (
            f"likelihood displacement: a token of a chosen response is {1 - math.exp(shift):.0%} less likely than "
            f"under the reference, {grows}. Lower learning_rate, raise beta, or train fewer steps; look first at rows "
            "whose chosen and rejected responses are nearly the same"
        )
        warned.append(Warned("displacement", step, text, step))
    stuck = _mean(window, STUCK)
    if stuck is not None and stuck > HIGH_STUCK and margin is not None and margin > MOVED_MARGIN:
        text = (
            f"blind term stuck: {stuck:.0%} of the blind responses are still at {at_start} while the margin over the "
            f"rejected ones is {margin:.2f}, so they teach nothing. Make them at a higher temperature, or drop those "
            "that equal the chosen response (blindpo blind counts them)"
        )
        warned.append(Warned("blind_stuck", step, text, step))
    correlation = window[-1].get(CORRELATION)
    if correlation is not None and abs(correlation) > HIGH_CORRELATION:
        longer = "longer" if correlation > 0 else "shorter"
        text = (
            f"length: the margin correlates with the difference in length ({correlation:+.2f}): the model may learn to "
            f"answer {longer} rather than better. Balance the lengths of chosen and rejected responses"
        )
        warned.append(Warned("length", step, text, step))
    return warned


def start_warning(means: Mapping[str, float]) -> str | None:
    """A warning if metrics from before the first step have a reward that is not 0 but for rounding; else None.

    The policy is its reference then. Where it is not, one of them was computed in another precision (by an engine that
    casts weights, say), and each reward has that error in it.
    """
    names = [name for name in ("rewards/chosen", "rewards/rejected", "rewards/blind") if name in means]
    worst = max(names, key=lambda name: abs(means[name]), default=None)
    if worst is None or abs(means[worst]) <= START_REWARD:
        return None
    return (
        f"before the first step the mean of {worst} is {means[worst]:+.3f} where it must be 0: this engine computes "
        "the policy otherwise than its reference, and all rewards are off by as much. Take reference=adapter_off "
        "(with lora) or reference=online, or another engine (docs/scale.md)"
    )


def require_finite(per_row_N: Float[Tensor, " N"], row_ids: Sequence[str]) -> None:
    """Raises TrainingError that names the rows whose loss is NaN or infinite."""
    bad = [row_id for row_id, fine in zip(row_ids, torch.isfinite(per_row_N).tolist(), strict=True) if not fine]
    if bad:
        raise TrainingError(
            f"the loss of {len(bad)} rows is NaN or infinite: {', '.join(bad)}. Nothing was trained on them; look at "
            "the rows, lower learning_rate, or compute in bf16 instead of fp16. The last checkpoint is whole."
        )


def require_finite_gradients(norm: float, row_ids: Sequence[str], step: int, *, taken: bool = False) -> None:
    """Raises TrainingError where a step's gradient `norm` is NaN or infinite. `row_ids` are this process's rows;
    `taken` says that the engine has taken the step by then."""
    if not math.isfinite(norm):
        trained = "The engine took the step before it could be seen" if taken else "Nothing was trained on them"
        raise TrainingError(
            f"the gradient of step {step} is NaN or infinite though the losses are not; rows: {', '.join(row_ids)}. "
            f"{trained}; lower learning_rate or max_grad_norm. The last checkpoint is whole."
        )


def _mean(window: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values: list[float] = [record[name] for record in window if name in record]
    return sum(values) / len(values) if values else None
