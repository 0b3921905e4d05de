"""The loss of BPO (arXiv 2503.14189, section 3.3) as one pure function over rewards.

A reward is r(x, y) = beta * (log pi(y|x) - log pi_ref(y|x)), log-probabilities summed over the response's tokens and
always given the full prompt, image included. Per row, with its rejected responses l and blind responses b:

    L = - mean_l log sigma(r_w - r_l) - mean_b log sigma(r_w - r_b)

The first term alone is DPO (arXiv 2305.18290, equation 7). A mean over nothing is 0.

Shape suffixes: N rows, M rejected responses, B blind responses; `_row` arrays say which row a response belongs to.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LossTerms:
    """The loss of each row, and its two terms."""

    total: Float[Tensor, " N"]
    rejected: Float[Tensor, " N"]
    blind: Float[Tensor, " N"]


def preference_loss(
    chosen: Float[Tensor, " N"],
    rejected: Float[Tensor, " M"],
    rejected_row: Int[Tensor, " M"],
    *,
    blind: Float[Tensor, " B"],
    blind_row: Int[Tensor, " B"],
) -> LossTerms:
    """The loss per row from rewards; average it over rows.

    One row with r_w = 1, r_l = 0, r_b = 3: -log sigma(1) - log sigma(-2) = 0.3133 + 2.1269 = 2.4402.
    Without the blind response: 0.3133, which is DPO.
    """
    terms = [
        mean_per_row(-torch.nn.functional.logsigmoid(chosen[row] - against), row, len(chosen))
        for against, row in ((rejected, rejected_row), (blind, blind_row))
    ]
    return LossTerms(terms[0] + terms[1], terms[0], terms[1])


def mean_per_row(values: Float[Tensor, " K"], row: Int[Tensor, " K"], num_rows: int) -> Float[Tensor, " N"]:
    """The mean of `values` within each row; 0 for a row that has none.

    Values [1, 3, 5] of rows [0, 0, 2] in 3 rows: [2, 0, 5].
    """
    sums = values.new_zeros(num_rows).index_add(0, row, values)
    counts = values.new_zeros(num_rows).index_add(0, row, torch.ones_like(values))
    return sums / counts.clamp(min=1)
