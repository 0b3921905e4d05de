"""Measure how off-policy the data is: the log-probability of each kind of response under the reference.

A preference loss moves most where the model could have given the response itself. A chosen response that it would never
give (written by people, or by a stronger model) is off-policy, and displacement (`health.py`) is likelier. The measure
is the mean log-probability per token under the reference, which sees the image. Blind responses are the reference's own
(paper, section 3.2), so they show what on-policy looks like here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from transformers import TrainingArguments

from blindpo.training.collator import Collator
from blindpo.training.examples import Example
from blindpo.training.precision import autocast

NEAR: Final = 0.5
"""Nats per token between chosen and blind responses, up to which chosen ones count as near the policy."""
FAR: Final = 1.5
"""The same, from which on they count as far."""
SAMPLED_ROWS: Final = 32
"""Rows that are scored where no reference is cached."""


@dataclass(frozen=True, slots=True)
class PolicyDistance:
    """Mean log-probability per token, in nats, of each kind of response under the reference; None for no responses."""

    chosen: float
    rejected: float
    blind: float | None

    def to_json(self) -> dict[str, float | str]:
        """The values by kind, with the verdict."""
        values = {"chosen": self.chosen, "rejected": self.rejected, "blind": self.blind}
        return {**{name: value for name, value in values.items() if value is not None}, "verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """One plain sentence."""
        if self.blind is None:
            return (
                f"each token of a chosen response has probability {math.exp(self.chosen):.2g} under the reference on "
                "(geometric) average; without blind responses there is nothing of its own to compare with"
            )
        gap = self.blind - self.chosen
        ratio = f"a token of a chosen response is {math.exp(gap):.2g} times less likely than one of its own"
        if gap < NEAR:
            return f"chosen responses are near the reference's own answers ({self.blind:.2f} against {self.chosen:.2f})"
        if gap < FAR:
            return f"chosen responses are off-policy: {ratio}. Watch health/chosen_shift"
        return (
            f"chosen responses are far off-policy: {ratio}. Expect likelihood displacement; a lower learning_rate, a "
            "higher beta, or fine-tuning on the chosen responses first helps"
        )


def per_token(logps: Sequence[float], lengths: Sequence[int]) -> float:
    """The mean over responses of their log-probability per token. Logps [-4, -1] over [4, 2] tokens: -0.75."""
    return sum(logp / max(length, 1) for logp, length in zip(logps, lengths, strict=True)) / len(logps)


def policy_distance(by_kind: Mapping[str, Sequence[tuple[float, int]]]) -> PolicyDistance | None:
    """From (log-probability, tokens) of every response, by "chosen", "rejected" and "blind"; None without any."""
    means = {kind: per_token(*zip(*pairs, strict=True)) for kind, pairs in by_kind.items() if pairs}
    if "chosen" not in means or "rejected" not in means:
        return None
    return PolicyDistance(means["chosen"], means["rejected"], means.get("blind"))


def before_training(
    examples: Sequence[Example], collator: Collator, model: nn.Module, settings: TrainingArguments
) -> dict[str, float | str | int]:
    """Mean log-probabilities per token under the reference, a verdict, and how many blind responses are the chosen one.

    From cached values of all rows, else computed for a sample by `model`, which is the reference before training.
    """
    known = [example for example in examples if example.reference is not None]
    by_kind: dict[str, list[tuple[float, int]]] = {"chosen": [], "rejected": [], "blind": []}
    for example in known or examples[:SAMPLED_ROWS]:
        values = example.reference or _scored(example, collator, model, settings)
        kinds = ["chosen", *["rejected"] * len(example.rejected), *["blind"] * len(example.blind)]
        for kind, value, response in zip(kinds, values, example.responses, strict=True):
            by_kind[kind].append((value, len(response)))
    distance = policy_distance(by_kind)
    equal = sum(response == example.chosen for example in examples for response in example.blind)
    return {**(distance.to_json() if distance is not None else {}), "blind_equal_to_chosen": equal}


def _scored(example: Example, collator: Collator, model: nn.Module, settings: TrainingArguments) -> tuple[float, ...]:
    with torch.no_grad(), autocast(settings):
        return tuple(collator.logps(model, collator.scored([(example, example.responses)])).tolist())


def before_lines(before: dict[str, float | str | int], *, at_start: str) -> list[str]:
    """The lines that a person is shown of `before_training`."""
    kinds = [f"{kind} {before[kind]:.3f}" for kind in ("chosen", "rejected", "blind") if kind in before]
    lines = [f"log-probability per token under the reference: {', '.join(kinds)}. {before.get('verdict', '')}"]
    if before["blind_equal_to_chosen"]:
        lines.append(
            f"{before['blind_equal_to_chosen']} blind responses equal the chosen one exactly: their term stays at "
            f"{at_start} and teaches nothing"
        )
    return lines
