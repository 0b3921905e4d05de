"""Settings of the demo: the size of its story and the training of its models, in one record that identifies a run.

Learning rate and beta come from `search.json` beside this file: `blindpo demo --search` wrote it from separate
validation seeds and worlds, with the same grid for every method and condition.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Final, Literal

from blindpo.demo.conditions import CONDITIONS
from blindpo.demo.pretrain import PretrainConfig

SEARCHED: Final = "search.json"
DEFAULT_SEEDS: Final = (1, 2, 3)
BASE: Final = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to train on the pairs of a condition."""

    name: str
    method: str
    """A name of `training/methods.py`."""
    second: Literal["removed", "as_is"] | None
    """How the second rejected answer was sampled: without the image, with it, or not at all."""
    steps_factor: float = 1.0
    learning_rate: float = 1e-4
    beta: float = 0.5


VARIANTS: Final = (
    Variant(name="dpo", method="dpo", second=None),
    Variant(name="dpo_equal_compute", method="dpo", second=None, steps_factor=1.5),
    Variant(name="bpo", method="bpo", second="removed"),
    Variant(name="sight", method="bpo", second="as_is"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoConfig:
    """The size of the story."""

    seeds: tuple[int, ...] = DEFAULT_SEEDS
    """Each seed has its own base, pairs, blind draws and evaluation set."""
    num_pairs: int = 480
    """Preference rows in each condition."""
    num_evaluation_pairs: int = 150
    """Evaluation twins, two rows each."""
    steps: int = 45
    """Updates of preference training; `dpo_equal_compute` gets 1.5 times as many."""
    batch_size: int = 32
    """Rows per update."""
    num_workers: int = 2
    """Number of processes, one thread each."""
    pretrain: PretrainConfig = field(default_factory=PretrainConfig)
    """How the base is trained."""
    variants: Mapping[str, tuple[Variant, ...]] = field(default_factory=dict)
    """The models to train in each condition, by the condition's name."""


def searched_variants() -> dict[str, tuple[Variant, ...]]:
    """Return the reported models, each with the learning rate and beta that the search chose for the condition."""
    chosen = json.loads(files("blindpo.demo").joinpath(SEARCHED).read_text(encoding="utf-8"))["chosen"]
    return {
        condition.name: tuple(
            replace(
                variant,
                learning_rate=chosen[condition.name][variant.name]["learning_rate"],
                beta=chosen[condition.name][variant.name]["beta"],
            )
            for variant in VARIANTS
        )
        for condition in CONDITIONS
    }
