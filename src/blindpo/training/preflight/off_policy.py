"""How far from the reference's own answers are the responses that it is to learn from? Said before the first step.

A preference loss moves most where the model could have given the response itself; a chosen response that it would never
give (written by people, or by a stronger model) is off-policy, and displacement (`health.py`) is likelier. The measure
is the mean log-probability a token under the reference with the image in sight. Blind responses are the reference's own
(paper, section 3.2), so they show what on-policy looks like here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

NEAR: Final = 0.5
"""Nats a token between chosen and blind responses under which chosen ones count as near the policy."""
FAR: Final = 1.5


@dataclass(frozen=True, slots=True)
class PolicyDistance:
    """Mean log-probability a token, in nats, of each kind of response under the reference; None where there is none."""

    chosen: float
    rejected: float
    blind: float | None

    def to_json(self) -> dict[str, float | str]:
        """By kind, with the verdict."""
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
    """The mean over responses of log-probability a token. Logps [-4, -1] over [4, 2] tokens: -0.75."""
    return sum(logp / max(length, 1) for logp, length in zip(logps, lengths, strict=True)) / len(logps)


def policy_distance(by_kind: Mapping[str, Sequence[tuple[float, int]]]) -> PolicyDistance | None:
    """From (log-probability, tokens) of every response, by "chosen", "rejected" and "blind"; None without any."""
    means = {kind: per_token(*zip(*pairs, strict=True)) for kind, pairs in by_kind.items() if pairs}
    if "chosen" not in means or "rejected" not in means:
        return None
    return PolicyDistance(means["chosen"], means["rejected"], means.get("blind"))
