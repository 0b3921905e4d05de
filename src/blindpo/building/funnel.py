"""The funnel: at every stage, items in = items kept + items rejected, by reason.

Shards count, the run sums. A stage that makes several items of one (a dialogue names two entities) counts what it
passes on under "out"; the unit changes there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from blindpo.jobs.shards import Reject

STAGES: Final = ("read", "entities", "match", "rephrase", "filter", "categorise", "twins", "out")
UNITS: Final = {"read": "dialogues", "entities": "dialogues"}
"""The unit that a stage counts; after `entities` it is (dialogue, entity)."""
PAPER: Final = {"train": (42_537, 5_392), "test": (2_312, 275)}
"""Instructions before and after filtering, as the paper reports them for its own data."""


def code_of(reason: str) -> str:
    """Return the code in front of a reason, `code: words`; "other" if there is none.

    >>> code_of("leak-question: the last user turn names it"), code_of("it is blank")
    ('leak-question', 'other')
    """
    code, colon, _ = reason.partition(": ")
    return code if colon and code.replace("-", "").isalnum() and code == code.lower() else "other"


def tally(stage: str, taken: int, rejects: Sequence[Reject], given: int | None = None) -> Counter[str]:
    """Count one stage over one shard; `given` is the number passed on, if it differs from the number kept."""
    kept = taken - len(rejects)
    counts = Counter({f"{stage}\tin": taken, f"{stage}\tkept": kept, f"{stage}\tout": kept if given is None else given})
    counts.update(f"{stage}\trejected\t{code_of(reject.reason)}" for reject in rejects)
    return counts


def funnel_of(counts: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the stages in order, from the summed counts; stages that did not run are left out."""
    stages = []
    for stage in STAGES:
        if f"{stage}\tin" not in counts:
            continue
        start = f"{stage}\trejected\t"
        rejected = {key.removeprefix(start): int(n) for key, n in sorted(counts.items()) if key.startswith(start)}
        numbers = {name: int(counts.get(f"{stage}\t{name}", 0)) for name in ("in", "kept", "out")}
        stages.append({"stage": stage, "unit": UNITS.get(stage, "mentions"), **numbers, "rejected": rejected})
    return stages


def lines_of(funnel: Sequence[Mapping[str, Any]]) -> list[str]:
    """Format the funnel for a person: one line per stage, with the reasons below it."""
    lines = [f"{'stage':<12}{'in':>9}{'kept':>9}{'rejected':>10}{'out':>9}  counts"]
    for row in funnel:
        lost = sum(row["rejected"].values())
        lines.append(f"{row['stage']:<12}{row['in']:>9}{row['kept']:>9}{lost:>10}{row['out']:>9}  {row['unit']}")
        by_size = sorted(row["rejected"].items(), key=lambda item: (-item[1], item[0]))
        lines += [f"{'':<12}{'':>18}{number:>10}  {code}" for code, number in by_size]
    return lines
