"""Is a blind response usable as a negative? What the paper never looked at, as pure functions and sums.

A blind response that equals the chosen one has no gradient; one that refuses as the chosen one does pushes refusals
down. A prototype's BPO gains came from blind responses that comply alone, so the share that refuses is worth a
warning before any training. Refusals are recognised by opening phrases (`answer/refusal_phrases.py`): weak, but
enough for this.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from blindpo.answer.refusal_phrases import looks_like_refusal

NEAR_JACCARD: Final = 0.5
WARN_REFUSAL_SHARE: Final = 0.8
MISSING: Final = "missing\t"
"""Prefix of a reason among the counts."""
_WORD: Final = re.compile(r"\w+")


def same_text(one: str, other: str) -> bool:
    """Equal but for outer blanks, which are stripped before tokens are made.

    >>> same_text("a ball", " a ball ")
    True
    """
    return one.strip() == other.strip()


def token_jaccard(one: str, other: str) -> float:
    """Words in both over words in either, case folded; 0 where neither has a word.

    >>> token_jaccard("A red ball.", "a blue ball")
    0.5
    """
    first, second = ({word.lower() for word in _WORD.findall(text)} for text in (one, other))
    union = first | second
    return len(first & second) / len(union) if union else 0.0


def compare_with_chosen(blind: str, chosen: str | None) -> Counter[str]:
    """Counts for one blind response beside its row's chosen one (None in rows for evaluation)."""
    refuses = looks_like_refusal(blind)
    counts = Counter({"refusals": int(refuses)})
    if chosen is not None:
        chosen_refuses = looks_like_refusal(chosen)
        counts["compared"] = 1
        counts["equal"] = int(same_text(blind, chosen))
        counts["near"] = int(token_jaccard(blind, chosen) >= NEAR_JACCARD)
        counts["chosen_refusals"] = int(chosen_refuses)
        counts["both_refuse"] = int(refuses and chosen_refuses)
    return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSummary:
    """What one run of `blindpo blind` made. A share of nothing is None, never 0."""

    rows: int
    rejected: int
    without_blind: int
    """Rows kept though every draw was empty, redraws included."""
    responses: int
    blank_draws: int
    redraws: int
    cut: int
    equal_share: float | None
    """Share of the responses that equal their row's chosen one, outer blanks aside; rows without one are left out."""
    near_share: float | None
    """Word Jaccard of at least 0.5 with the chosen one (equal ones included)."""
    refusal_share: float | None
    chosen_refusal_share: float | None
    both_refuse_share: float | None
    mean_tokens: float | None
    logp_per_token_with_image: float | None
    """Mean log-probability of a blind response's token when the model does see the image; end of turn included. Only a
    local model can say it."""
    thoughts: int = 0
    """Responses that came after a thought, which was cut off."""
    missing: dict[str, int] = field(default_factory=dict)
    """Draws without a response that were not empty, by the reason: a server declined, a file does not hold it."""

    @property
    def warnings(self) -> list[str]:
        """What to look at before training on these responses."""
        share = self.both_refuse_share
        if share is None or share <= WARN_REFUSAL_SHARE:
            return []
        return [
            f"{share:.0%} of the blind responses refuse as the chosen ones do; the blind term then teaches little, or "
            "lowers refusals: draw more (--draws, --temperature), or another --view"
        ]


def summarise(counts: Mapping[str, float], *, rows: int, rejected: int) -> BlindSummary:
    """The summary of a run from the sums over its shards."""

    def share(part: str, whole: str) -> float | None:
        return counts.get(part, 0) / counts[whole] if counts.get(whole) else None

    def whole(name: str) -> int:
        return int(counts.get(name, 0))

    return BlindSummary(
        rows=rows,
        rejected=rejected,
        without_blind=whole("without_blind"),
        responses=whole("responses"),
        blank_draws=whole("blank_draws"),
        redraws=whole("redraws"),
        cut=whole("cut"),
        equal_share=share("equal", "compared"),
        near_share=share("near", "compared"),
        refusal_share=share("refusals", "responses"),
        chosen_refusal_share=share("chosen_refusals", "compared"),
        both_refuse_share=share("both_refuse", "compared"),
        mean_tokens=share("tokens", "responses") if "tokens" in counts else None,
        logp_per_token_with_image=share("logp_with_image", "scored_tokens"),
        thoughts=whole("thoughts"),
        missing={name.removeprefix(MISSING): int(n) for name, n in counts.items() if name.startswith(MISSING)},
    )


def lines(summary: BlindSummary) -> Iterable[str]:
    """The summary for a person."""
    yield f"{summary.rows} rows kept, {summary.rejected} rejected, {summary.without_blind} without a blind response"
    yield f"{summary.responses} blind response{'' if summary.responses == 1 else 's'}, {summary.cut} cut"
    if summary.thoughts:
        yield f"thoughts cut off       {summary.thoughts}"
    yield f"empty draws            {summary.blank_draws} (redraws that helped: {summary.redraws})"
    for reason, number in summary.missing.items():
        yield f"draws without response {number}: {reason}"
    yield f"equal to chosen        {_percent(summary.equal_share)}"
    yield f"near chosen            {_percent(summary.near_share)} (word Jaccard of at least {NEAR_JACCARD})"
    yield f"refuse                 {_percent(summary.refusal_share)} (chosen: {_percent(summary.chosen_refusal_share)})"
    yield f"tokens, mean           {_number(summary.mean_tokens)}"
    known = summary.logp_per_token_with_image
    in_sight = "not available: only a local model can say" if known is None and summary.responses else _number(known)
    yield f"log p per token, image in sight {in_sight}"
    for warning in summary.warnings:
        yield f"WARNING: {warning}"


def _percent(share: float | None) -> str:
    return "no data" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "no data" if value is None else f"{value:.2f}"
