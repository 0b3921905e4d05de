"""Decisions to numbers: each rate with its interval, its bounds, and what it rests on.

An item without a decision is in no rate. The bounds say what the rate would be if all of them counted, or none: with
more than 1 % of them there is no rate at all, only the bounds. A judge that is down gives no number.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from blindpo.evaluation.judges.verdict import UNREADABLE, Verdict
from blindpo.evaluation.measures import RowMeta
from blindpo.evaluation.protocols.protocol import MAX_MISSING, Rate, ScoringProtocol
from blindpo.jobs.seeds import derive_seed
from blindpo.rows.row import PreferenceRow
from blindpo.stats.clusters import NUM_DRAWS, item_table
from blindpo.stats.clusters import estimate as estimate_table


def score(
    protocol: ScoringProtocol,
    rows: Sequence[PreferenceRow],
    decisions: Mapping[str, Verdict],
    *,
    metas: Mapping[str, RowMeta],
    num_draws: int = NUM_DRAWS,
    interval_seed: int = 42,
) -> dict[str, Any]:
    """Counts and rates of one protocol over `rows`, which are its items."""
    words = {row_id: verdict.word(protocol.axis) for row_id, verdict in decisions.items()}
    missing = Counter(decisions[row_id].why for row_id, word in words.items() if word is None)
    counted = Counter(word for word in words.values() if word is not None)
    rates: dict[str, dict[str, Any]] = {}
    for rate in protocol.rates:
        if rate.mean_of:
            rates[rate.name] = _mean(rate, rates)
        else:
            generator = np.random.default_rng(derive_seed(interval_seed, protocol.id, rate.name))
            held = [metas[row.row_id] for row in rows if rate.holds(row)]
            rates[rate.name] = _rate(protocol, rate, held, decisions, generator=generator, num_draws=num_draws)
    return {
        "items": len(rows),
        "decided": sum(counted.values()),
        "decisions": dict(sorted(counted.items())),
        "without_decision": dict(sorted(missing.items())),
        "rates": rates,
    }


def _rate(
    protocol: ScoringProtocol,
    rate: Rate,
    metas: Sequence[RowMeta],
    decisions: Mapping[str, Verdict],
    *,
    generator: np.random.Generator,
    num_draws: int,
) -> dict[str, Any]:
    items: list[tuple[str, float | None, tuple[str, ...], tuple[str, ...]]] = []
    for meta in metas:
        verdict = decisions[meta.row_id]
        word = verdict.word(rate.axis or protocol.axis)
        if word is None and verdict.reason == UNREADABLE and protocol.unparsed == "dropped":
            continue
        value = None if word is None else float(word in rate.counts)
        items.append((meta.row_id, value, meta.images, (meta.dialogue_id,)))
    table = item_table(items)
    total = len(items)
    if not total:
        return {"value": None, "n": 0, "no_data": True}
    estimated = estimate_table(table, generator=generator, num_draws=num_draws).to_json()
    ones = float(table.value.sum())
    bounds = {"at_least": ones / total, "at_most": (ones + table.missing) / total}
    if table.missing / total > MAX_MISSING:
        return {
            "value": None,
            "n": len(table),
            "missing": table.missing,
            **bounds,
            "no_rate": f"{table.missing} of {total} items have no decision; a rate is given up to {MAX_MISSING:.0%}",
        }
    return {**estimated, **bounds}


def _mean(rate: Rate, rates: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of rates. They have no items in common, so its interval adds their half widths as independent ones."""
    parts = [rates[name] for name in rate.mean_of]
    values = [part["value"] for part in parts if part.get("value") is not None]
    if len(values) != len(parts):
        bounds = [(part.get("at_least"), part.get("at_most")) for part in parts]
        if any(low is None for low, _ in bounds):
            return {"value": None, "n": 0, "no_data": True}
        lows, highs = zip(*bounds, strict=True)
        return {
            "value": None,
            "at_least": float(np.mean(lows)),
            "at_most": float(np.mean(highs)),
            "no_rate": f"not all of {', '.join(rate.mean_of)} have a rate",
        }
    mean = float(np.mean(values))
    down = float(np.sqrt(sum((part["value"] - part["low"]) ** 2 for part in parts))) / len(parts)
    up = float(np.sqrt(sum((part["high"] - part["value"]) ** 2 for part in parts))) / len(parts)
    return {
        "value": mean,
        "low": max(0.0, mean - down),
        "high": min(1.0, mean + up),
        "n": sum(part["n"] for part in parts),
        "method": "mean_of_rates",
        "mean_of": list(rate.mean_of),
    }
