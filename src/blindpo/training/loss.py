"""What is minimised: the loss of Blind Preference Optimization, as one pure function over vectors.

arXiv 2503.14189, section 3.2, with any number of rejected and blind responses per row:

    loss of a row = - mean over its rejected l of log sigma(r_w - r_l) - mean over its blind b of log sigma(r_w - r_b)

r(x, y) = beta * log(pi(y|x) / pi_ref(y|x)), log-probabilities summed over the response's tokens, always given the full
x, image included. The first term alone is DPO (arXiv 2305.18290). A mean over nothing is 0.

Legend: N rows, M rejected responses, B blind responses, K responses of one kind.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True, slots=True)
class LossTerms:
    """The two terms, one value a row; the loss of a step is the mean of `per_row_N` over all rows of the step."""

    rejected_N: Float[Tensor, " N"]
    blind_N: Float[Tensor, " N"]

    @property
    def per_row_N(self) -> Float[Tensor, " N"]:
        """The loss of each row: both terms."""
        return self.rejected_N + self.blind_N


def row_means(values_K: Float[Tensor, " K"], row_K: Int[Tensor, " K"], num_rows: int) -> Float[Tensor, " N"]:
    """The mean of `values_K` over the places of each row; 0 where a row has none.

    Values [1, 3, 5] of the rows [0, 0, 2] of three: [2, 0, 5].
    """
    sums_N = values_K.new_zeros(num_rows).index_add(0, row_K, values_K)
    counts_N = torch.bincount(row_K, minlength=num_rows)
    return sums_N / counts_N.clamp(min=1)


def preference_loss(
    chosen_r_N: Float[Tensor, " N"],
    rejected_r_M: Float[Tensor, " M"],
    rejected_row_M: Int[Tensor, " M"],
    *,
    blind_r_B: Float[Tensor, " B"],
    blind_row_B: Int[Tensor, " B"],
    use_blind: bool,
) -> LossTerms:
    """The terms of each row from rewards r in nats, beta already in them; `rejected_row_M` says whose each is.

    Two rows with r_w = [ln 3, 0]; the first has a rejected response at 0 and a blind one at ln 3, the second a rejected
    one at ln 3 and no blind one. sigma(ln 3) = 3/4, sigma(-ln 3) = 1/4, sigma(0) = 1/2:

        rejected_N = [ln 4/3, ln 4]      blind_N = [ln 2, 0]      per_row_N = [ln 8/3, ln 4]

    Without `use_blind` the blind responses are not looked at: DPO.
    """
    num_rows = len(chosen_r_N)
    rejected_N = row_means(-logsigmoid(chosen_r_N[rejected_row_M] - rejected_r_M), rejected_row_M, num_rows)
    if not use_blind:
        return LossTerms(rejected_N, torch.zeros_like(rejected_N))
    return LossTerms(rejected_N, row_means(-logsigmoid(chosen_r_N[blind_row_B] - blind_r_B), blind_row_B, num_rows))
