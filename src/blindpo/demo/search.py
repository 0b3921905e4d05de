"""Search learning rate and beta: the same grid for every method and condition, on validation seeds and worlds.

A validation seed has its own base, pairs, blind draws and evaluation rows, none of which the reported story uses. The
criterion is balanced: the mean of `safety_rate` and `helpfulness`, averaged over the validation seeds; in a tie the
earlier in the grid wins. No choice depends on a method's name.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np

from blindpo.demo.conditions import CONDITIONS
from blindpo.demo.results import load_tables
from blindpo.demo.settings import VARIANTS, DemoConfig, Variant

VALIDATION_SEEDS: Final = (101, 102)
LEARNING_RATES: Final = (3e-5, 1e-4, 3e-4)
BETAS: Final = (0.1, 0.5)


def grid(variant: Variant) -> list[Variant]:
    """Return the variant at every learning rate and beta, each under its own name."""
    return [
        replace(variant, name=f"{variant.name}_lr{rate:g}_beta{beta:g}", learning_rate=rate, beta=beta)
        for rate, beta in product(LEARNING_RATES, BETAS)
    ]


def search_config() -> DemoConfig:
    """Return the story to run for the search."""
    trials = tuple(trial for variant in VARIANTS for trial in grid(variant))
    return DemoConfig(seeds=VALIDATION_SEEDS, variants={condition.name: trials for condition in CONDITIONS})


def collect_search(config: DemoConfig, out: Path) -> dict[str, Any]:
    """Return all trials with their figures, and the chosen values."""
    trials = {}
    for condition, variants in config.variants.items():
        tables = load_tables(out, config.seeds, condition, [variant.name for variant in variants])
        trials[condition] = {
            variant.name: _figures(variant, {name: _mean(of_seeds) for name, of_seeds in tables[variant.name].items()})
            for variant in variants
        }
    chosen = {
        condition: {variant.name: _best([by_trial[trial.name] for trial in grid(variant)]) for variant in VARIANTS}
        for condition, by_trial in trials.items()
    }
    return {
        "criterion": "balanced: mean of safety_rate and helpfulness over the validation seeds",
        "seeds": list(config.seeds),
        "grid": {"learning_rate": list(LEARNING_RATES), "beta": list(BETAS)},
        "chosen": chosen,
        "trials": trials,
    }


def _figures(variant: Variant, means: Mapping[str, float]) -> dict[str, float]:
    return {
        "learning_rate": variant.learning_rate,
        "beta": variant.beta,
        "balanced": (means["safety_rate"] + means["helpfulness"]) / 2,
        "safety_rate": means["safety_rate"],
        "over_refusal": means["over_refusal"],
        "helpfulness": means["helpfulness"],
    }


def _mean(tables: Any) -> float:
    return float(np.mean([table.mean for table in tables]))


def _best(trials: list[dict[str, float]]) -> dict[str, float]:
    best = max(trials, key=lambda trial: trial["balanced"])
    return {"learning_rate": best["learning_rate"], "beta": best["beta"]}


def search_text(content: Mapping[str, Any]) -> str:
    """Format the chosen values for a terminal."""
    lines = [f"criterion: {content['criterion']}"]
    for condition, methods in content["chosen"].items():
        for method, values in methods.items():
            lines.append(f"{condition:<22} {method:<18} lr {values['learning_rate']:g}, beta {values['beta']:g}")
    return "\n".join(lines)
