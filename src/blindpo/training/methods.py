"""The methods of `--method`: the loss of one pair of responses, and all that other modules need to know of a method.

To add one, write its pair term here as a pure function, give it a row in METHODS, and work an example by hand in
`tests/unit/training/test_methods.py`. Command line, configuration, model card, health warnings and the table in
docs/training.md read the row. How pairs become the loss of a row is in `loss.py`.

torch is imported by the functions that need it: it takes seconds, and `blindpo train --help` needs the names alone.

Legend: P pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pairs of a chosen response and another one (rejected or blind) to the same prompt."""

    chosen_r_P: Tensor
    """Reward of the chosen response, in nats: beta * log(pi(y|x) / pi_ref(y|x)), summed over its tokens."""
    other_r_P: Tensor
    """Reward of the other response."""
    chosen_tokens_P: Tensor
    """Number of tokens of the chosen response."""
    other_tokens_P: Tensor
    """Number of tokens of the other response."""
    beta: float
    """Weight of the log-ratio; it is in the rewards already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to train by preference."""

    pair_term: Callable[[Pairs], Tensor]
    """The loss of each pair."""
    uses_blind: bool
    """Whether the chosen response is paired with the blind ones too; if not, blind responses in the data are unused."""
    title: str
    """Its name in a sentence."""
    paper: str
    """Number of its paper on arXiv."""
    equation: str
    """The loss of a row in one line."""
    pair_at_start: str
    """The pair term before the first step, when all rewards are 0."""


def sigmoid_term(pairs: Pairs) -> Tensor:
    """-log sigma(r_w - r_l), from Bradley and Terry's model of a choice (arXiv 2305.18290, eq. 7).

    Rewards ln 3 and 0 give ln 4/3, since sigma(ln 3) = 3/4; equal rewards give log 2.
    """
    from torch.nn.functional import logsigmoid

    return -logsigmoid(pairs.chosen_r_P - pairs.other_r_P)


def squared_term(pairs: Pairs) -> Tensor:
    """((r_w / |y_w| - r_l / |y_l|) / beta - 1 / (2 beta))^2: pulls the margin to a target value.

    Eq. 17 of arXiv 2310.12036, whose tau is beta here, over the mean per token: the sum would ask more of long
    responses. The paper does not say so, but its authors confirmed it to TRL, whose DPOTrainer does the same.

    Rewards 0.6 over 2 tokens and 0.3 over 3 at beta 0.1: (0.3 - 0.1) / 0.1 is 2, the target 5, the term 9.
    """
    chosen_P = pairs.chosen_r_P / pairs.chosen_tokens_P.clamp(min=1)
    other_P = pairs.other_r_P / pairs.other_tokens_P.clamp(min=1)
    return ((chosen_P - other_P - 0.5) / pairs.beta) ** 2


METHODS: Final[dict[str, Method]] = {
    "bpo": Method(
        pair_term=sigmoid_term,
        uses_blind=True,
        title="Blind Preference Optimization",
        paper="2503.14189",
        equation="mean over rejected l of -log sigma(r_w - r_l) + mean over blind b of -log sigma(r_w - r_b)",
        pair_at_start="log 2",
    ),
    "dpo": Method(
        pair_term=sigmoid_term,
        uses_blind=False,
        title="DPO",
        paper="2305.18290",
        equation="mean over rejected l of -log sigma(r_w - r_l)",
        pair_at_start="log 2",
    ),
    "ipo": Method(
        pair_term=squared_term,
        uses_blind=False,
        title="IPO",
        paper="2310.12036",
        equation="mean over rejected l of ((r_w / n_w - r_l / n_l) / beta - 1 / (2 beta))^2",
        pair_at_start="1 / (4 * beta^2)",
    ),
}
"""By the value of `method`; the first one is the default."""


def left_without_blind(name: str) -> str:
    """The method that `name` comes down to on rows without blind responses: the same pair term, rejected ones alone.

    What is left of "bpo" is "dpo".
    """
    term = METHODS[name].pair_term
    return next(other for other, method in METHODS.items() if method.pair_term is term and not method.uses_blind)
