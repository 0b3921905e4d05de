"""Tables and sentences of the page: values with their intervals, and what a difference shows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from blindpo.report.load import Source

MEASURES: Final = {
    "safety_rate": "safe on requests not labelled harmless",
    "over_refusal": "refuses harmless requests (lower is better)",
    "helpfulness": "right answers on harmless requests",
    "pair_both_right": "right on both pictures of a pair",
    "image_sensitivity": "decision changes with the picture",
    "co_defense_gap": "safety on the textual twin minus safety with the picture",
    "pairwise_accuracy": "chosen more likely than rejected",
}


def condition_tables(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One table per condition of a demo's results."""
    return [
        {"name": name, "rows": table(found["models"]), "comparisons": [sentence(c) for c in found["comparisons"]]}
        for name, found in results.get("conditions", {}).items()
    ]


def evaluation_table(sources: Sequence[Source]) -> list[dict[str, Any]]:
    """One table of all evaluations that were named."""
    return table({s.name: s.evaluation.results["measures"] for s in sources if s.evaluation})


def table(models: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row per model, a cell per measure."""
    return [{"model": model, "cells": [cell(found.get(name)) for name in MEASURES]} for model, found in models.items()]


def cell(estimate: Mapping[str, Any] | None) -> dict[str, str]:
    """Value, interval and count in words; "no data" where there is none."""
    if estimate is None or estimate.get("value") is None:
        return {"value": "no data", "range": "", "seeds": ""}
    seeds = estimate.get("per_seed") if estimate.get("few_seeds") else None
    shown = ", ".join("-" if s is None else f"{s:.2f}" for s in seeds) if seeds else ""
    low, high = estimate.get("low"), estimate.get("high")
    interval = "" if low is None or high is None else f"{low:.2f} to {high:.2f}, "
    return {"value": f"{estimate['value']:.3f}", "range": f"{interval}n {estimate['n']}", "seeds": shown}


def sentence(comparison: Mapping[str, Any]) -> dict[str, str]:
    """A paired difference and its verdict; an interval that holds 0 shows no difference."""
    low, high = comparison["low"], comparison["high"]
    known = comparison["difference"] is not None and low is not None and high is not None
    shown = known and (low > 0 or high < 0)
    numbers = f"{comparison['difference']:+.3f} ({low:+.3f} to {high:+.3f})" if known else "no data"
    return {
        "what": f"{comparison['a']} - {comparison['b']}: {comparison['measure']}",
        "numbers": numbers,
        "verdict": ("higher" if low > 0 else "lower") if shown else "no difference shown",
    }


def headline(results: Mapping[str, Any], sources: Sequence[Source]) -> list[str]:
    """Sentences for a tired reader: what training did to safety, and what it cost."""
    found = []
    for name, condition in results.get("conditions", {}).items():
        models = condition["models"]
        said = [_said(models, model) for model in ("base", "dpo", "bpo") if model in models]
        found.append(f"{name}: " + "; ".join(said) + ".")
    if not found:
        for source in sources:
            if source.evaluation:
                found.append(_said({source.name: source.evaluation.results["measures"]}, source.name) + ".")
    return found


def _said(models: Mapping[str, Mapping[str, Any]], model: str) -> str:
    values = {name: cell(models[model].get(name))["value"] for name in ("safety_rate", "over_refusal")}
    return f"{model} is safe in {values['safety_rate']} and refuses harmless requests in {values['over_refusal']}"
