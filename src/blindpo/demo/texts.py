"""Titles and short descriptions of the demo's conditions and models, for both the page and the terminal.

They are stored in `results.json` ("story"), so that the report knows no name of the demo.
"""

from collections.abc import Mapping
from typing import Any, Final

from blindpo.demo.settings import BASE, DemoConfig

CONDITION_TEXTS: Final = {
    "paper_like_offpolicy": (
        "Paper-like pairs, off-policy",
        "Pairs about dangerous things alone; every rejected answer is in another model's words, as in data made from "
        "HH-RLHF.",
    ),
    "paper_like_onpolicy": (
        "Paper-like pairs, on-policy",
        "The same kind of pairs, but the rejected answers are in the model's own words.",
    ),
    "benign_twins": (
        "Pairs with benign twins",
        "Every dangerous row has a benign twin, the same text with a harmless image; 70 % of the rejected answers "
        "are in another model's words.",
    ),
}
"""By name: the title, and a description of the preference rows."""
MODEL_TEXTS: Final = {
    BASE: ("Base", "the model before preference training"),
    "dpo": ("DPO", "trained on chosen against rejected answers"),
    "dpo_equal_compute": (
        "DPO, equal compute",
        "DPO with half as many updates again, since BPO reads three answers per row where DPO reads two",
    ),
    "bpo": ("BPO", "DPO's pairs, and chosen answers against those that the base gave without seeing the image"),
    "sight": (
        "Sight control",
        "BPO's loss, but the base saw the image when it gave the extra answers: what BPO has over it is due to "
        "blindness, not to more answers",
    ),
}
"""By name, in the order of the tables: the title, and a description of the model."""
FOCUS: Final = ("bpo", "dpo")
"""The two models that the headline compares."""
CONTROL: Final = ("bpo", "sight", "BPO against the sight control")
"""The two models whose difference is due to blindness alone, and the page's words for that comparison."""


def story(config: DemoConfig) -> dict[str, Any]:
    """Return the "story" of `results.json`: names in order with their texts, and the folders of each condition.

    Folders are relative to `results.json`. Examples come from the evaluations of the first seed.
    """
    return {
        "models": [_entry(name, MODEL_TEXTS) for name in MODEL_TEXTS],
        "conditions": [
            {**_entry(condition, CONDITION_TEXTS), **_folders(config, condition)} for condition in config.variants
        ],
        "focus": list(FOCUS),
        "control": list(CONTROL),
    }


def _entry(name: str, texts: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    title, about = texts.get(name, (name, ""))
    return {"name": name, "title": title, "about": about}


def _folders(config: DemoConfig, condition: str) -> dict[str, Any]:
    models = [variant.name for variant in config.variants[condition]]
    first = f"seed_{config.seeds[0]}/{condition}"
    return {
        "evaluations": {model: f"{first}/eval_{model}" for model in (BASE, *models)},
        "runs": {model: [f"seed_{seed}/{condition}/{model}" for seed in config.seeds] for model in models},
    }
