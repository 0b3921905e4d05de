"""All that is summed of one micro-batch, for the logs and for training health.

Legend: S responses, N rows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from blindpo.training.collator import KINDS
from blindpo.training.monitor.health import health_sums, length_sums
from blindpo.training.monitor.metrics import Sums, loss_sums, response_sums


def batch_sums(
    batch: Mapping[str, Any], logps_S: Float[Tensor, " S"], shift_S: Float[Tensor, " S"], *,
    per_row_N: Float[Tensor, " N"], beta: float,
) -> Iterator[Sums]:  # fmt: skip
    """Of a batch of `Collator`, its log-probabilities, log pi - log pi_ref of each, and the loss of each row."""
    yield loss_sums(per_row_N)
    logps_S, shift_S = logps_S.detach(), shift_S.detach()
    r_S = beta * shift_S
    chosen, rejected, blind = (batch["kind_S"] == kind for kind in KINDS)
    row_S, tokens_S = batch["row_S"], batch["tokens_S"]
    for where, name in ((rejected, "rejected"), (blind, "blind")):
        found = {"r_K": r_S[where], "logps_K": logps_S[where], "row_K": row_S[where]}
        yield response_sums(r_S[chosen], logps_S[chosen], name, **found)
    margin_B = r_S[chosen][row_S[blind]] - r_S[blind]
    yield health_sums(shift_S[chosen], tokens_S[chosen], margin_B, row_S[blind])
    margin_M = r_S[chosen][row_S[rejected]] - r_S[rejected]
    yield length_sums(margin_M, tokens_S[chosen][row_S[rejected]] - tokens_S[rejected])
