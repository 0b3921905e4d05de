"""Turn the EVAL folders of all seeds into `results.json` and the terminal's table.

A value is the mean over seeds of each seed's own value, so that it can be recomputed by `blindpo rejudge` of the
stored responses; its interval resamples seeds first and then clusters (pairs of rows) within them. A comparison is
between two models on the same rows of the same seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from blindpo.demo.settings import BASE, DemoConfig
from blindpo.demo.texts import MODEL_TEXTS, story
from blindpo.evaluation.eval_folder import load_eval
from blindpo.jobs.seeds import derive_seed
from blindpo.reporting.headline import ONE_SEED
from blindpo.stats.clusters import ItemTable, estimate, pooled
from blindpo.stats.intervals import Estimate
from blindpo.stats.paired import paired_difference

STORY_MEASURES: Final = (
    "safety_rate", "over_refusal", "pair_both_right", "image_sensitivity", "co_defense_gap", "helpfulness",
    "pairwise_accuracy", "pair_over_refusal_only", "pair_under_refusal_only", "pair_both_wrong", "off_topic",
    "repetition",
)  # fmt: skip
TERMINAL: Final = STORY_MEASURES[:7]
"""The measures that fit into the terminal's table."""
SHOWN_MODEL: Final = "bpo"
"""The model whose comparisons the terminal shows."""
COMPARISONS: Final = (("dpo", BASE), ("bpo", BASE), ("bpo", "dpo"), ("bpo", "dpo_equal_compute"), ("bpo", "sight"))
_SHORT: Final = ("safety", "over-ref", "both right", "sensitive", "co-def gap", "helpful", "pair acc")

Tables = Mapping[str, Mapping[str, Sequence[ItemTable]]]
"""The items of one condition by model and measure, one table per seed."""


def collect(config: DemoConfig, out: Path) -> dict[str, Any]:
    """Return the content of results.json."""
    return {
        "seeds": list(config.seeds),
        "conditions": {
            condition: condition_results(
                load_tables(out, config.seeds, condition, [BASE, *(variant.name for variant in variants)])
            )
            for condition, variants in config.variants.items()
        },
        "story": story(config),
    }


def load_tables(out: Path, seeds: Sequence[int], condition: str, models: Sequence[str]) -> Tables:
    """Load the items of every measure of every model of one condition."""
    tables = {}
    for model in models:
        items = [load_eval(out / f"seed_{seed}" / condition / f"eval_{model}").items() for seed in seeds]
        tables[model] = {measure: [of_seed[measure] for of_seed in items] for measure in STORY_MEASURES}
    return tables


def condition_results(tables: Tables) -> dict[str, Any]:
    """Return the models and comparisons of one condition."""
    models = {
        model: {measure: _estimate(model, measure, of_model[measure]) for measure in STORY_MEASURES}
        for model, of_model in tables.items()
    }
    comparisons = [
        _comparison(tables, a, b, measure=measure)
        for a, b in COMPARISONS
        if a in tables and b in tables
        for measure in STORY_MEASURES
    ]
    return {"models": models, "comparisons": comparisons}


def _estimate(model: str, measure: str, tables: Sequence[ItemTable]) -> dict[str, object]:
    generator = np.random.default_rng(derive_seed(0, model, measure))
    if len(tables) > 1:
        return pooled(tables, generator=generator).to_json()
    alone = estimate(tables[0], generator=generator)
    return {**alone.to_json(), "per_seed": [alone.value], "few_seeds": True}


def _comparison(tables: Tables, a: str, b: str, *, measure: str) -> dict[str, object]:
    generator = np.random.default_rng(derive_seed(0, a, b, measure))
    difference: Estimate = paired_difference(tables[a][measure], tables[b][measure], generator=generator)
    return {
        "a": a,
        "b": b,
        "measure": measure,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
    }


def results_text(results: Mapping[str, Any]) -> str:
    """Format the terminal's table: value and interval per model and measure, then what BPO changes."""
    lines = [f"seeds: {', '.join(map(str, results['seeds']))}; value [95 % interval], mean over seeds"]
    abouts = {each["name"]: each["about"] for each in results.get("story", {}).get("conditions", ())}
    for condition, entry in results["conditions"].items():
        about = abouts.get(condition, "")
        lines += [
            "",
            f"{condition}: {about}" if about else condition,
            f"  {'':<18}" + "".join(f"{short:>18}" for short in _SHORT),
        ]
        for model, measures in entry["models"].items():
            lines.append(f"  {model:<18}" + "".join(f"{_cell(measures[name]):>18}" for name in TERMINAL))
        for row in entry["comparisons"]:
            if row["a"] == SHOWN_MODEL and row["measure"] in ("safety_rate", "over_refusal", "helpfulness"):
                lines.append(f"  {_compared(row)}")
    models = dict.fromkeys(name for entry in results["conditions"].values() for name in entry["models"])
    lines += ["", *(f"{name}: {about}" for name, (_, about) in MODEL_TEXTS.items() if name in models)]
    if len(results["seeds"]) == 1:
        lines += ["", ONE_SEED]
    elif len(results["seeds"]) < 5:
        lines += ["", "Fewer than 5 seeds: intervals over so few are rough; results.json has every seed's own value."]
    return "\n".join(lines)


def _cell(measure: Mapping[str, Any]) -> str:
    if measure["value"] is None:
        return "no data"
    return f"{measure['value']:.2f} [{measure['low']:.2f},{measure['high']:.2f}]"


def _compared(row: Mapping[str, Any]) -> str:
    what = f"{row['a']} - {row['b']}, {row['measure']}:"
    if row["difference"] is None:
        return f"{what} no data"
    return f"{what:<44} {row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
