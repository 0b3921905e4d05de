"""What is minimised: the loss of Blind Preference Optimization and its kin, as one pure function over vectors.

arXiv 2503.14189, section 3.2, with any number of rejected and blind responses per row:

    loss of a row = mean over its rejected l of term(r_w, r_l) + mean over its blind b of term(r_w, r_b)

r(x, y) = beta * log(pi(y|x) / pi_ref(y|x)), log-probabilities summed over the response's tokens, always given the full
x, image included. `term` is the method's (`methods.py`): -log sigma(r_w - r_l) for BPO and for DPO (arXiv 2305.18290),
which is the first mean alone. A mean over nothing is 0.

Legend: N rows, M rejected responses, B blind responses, K responses of one kind.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from blindpo.training.methods import Method, Pairs


@dataclass(frozen=True, slots=True)
class Rewards:
    """The responses of one kind in a batch; of the chosen ones there is one per row, in the order of the rows."""

    r_K: Float[Tensor, " K"]
    """Reward of each, in nats, with beta already in it."""
    tokens_K: Int[Tensor, " K"]
    """How long each is."""
    row_K: Int[Tensor, " K"]
    """The row that each belongs to."""


@dataclass(frozen=True, slots=True)
class LossTerms:
    """The two terms, one value per row; the loss of a step is the mean of `per_row_N` over all rows of the step."""

    rejected_N: Float[Tensor, " N"]
    blind_N: Float[Tensor, " N"]

    @property
    def per_row_N(self) -> Float[Tensor, " N"]:
        """The loss of each row: both terms."""
        return self.rejected_N + self.blind_N


def row_means(values_K: Float[Tensor, " K"], row_K: Int[Tensor, " K"], num_rows: int) -> Float[Tensor, " N"]:
    """The mean of the `values_K` of each row; 0 where a row has none.

    Values [1, 3, 5] of the rows [0, 0, 2] of three: [2, 0, 5].
    """
    sums_N = values_K.new_zeros(num_rows).index_add(0, row_K, values_K)
    counts_N = torch.bincount(row_K, minlength=num_rows)
    return sums_N / counts_N.clamp(min=1)


def preference_loss(chosen: Rewards, rejected: Rewards, blind: Rewards, *, method: Method, beta: float) -> LossTerms:
    """The two terms of each row; `blind` is unused by a method without blind responses.

    Two rows with r_w = [ln 3, 0]; the first has a rejected response at 0 and a blind one at ln 3, the second a rejected
    one at ln 3 and no blind one. sigma(ln 3) = 3/4, sigma(-ln 3) = 1/4, sigma(0) = 1/2, so under BPO

        rejected_N = [ln 4/3, ln 4]      blind_N = [ln 2, 0]      per_row_N = [ln 8/3, ln 4]

    and under DPO per_row_N = rejected_N.
    """
    rejected_N = _mean_term(chosen, rejected, method, beta)
    blind_N = _mean_term(chosen, blind, method, beta) if method.uses_blind else torch.zeros_like(rejected_N)
    return LossTerms(rejected_N, blind_N)


def _mean_term(chosen: Rewards, others: Rewards, method: Method, beta: float) -> Float[Tensor, " N"]:
    pairs = Pairs(
        chosen_r_P=chosen.r_K[others.row_K],
        other_r_P=others.r_K,
        chosen_tokens_P=chosen.tokens_K[others.row_K],
        other_tokens_P=others.tokens_K,
        beta=beta,
    )
    return row_means(method.pair_term(pairs), others.row_K, len(chosen.r_K))
