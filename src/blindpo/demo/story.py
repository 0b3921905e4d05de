"""The stages of one seed, as tasks for `schedule.py`: base, then per condition rows and answers, then the models.

From the rows on, this runs the same code as real data, with the same files on disk:

    OUT/seed_S/base/                       the base model
    OUT/seed_S/CONDITION/pairs/            preference rows;  pairs_remove/, pairs_sight/ with a second rejected answer
    OUT/seed_S/CONDITION/rows/             evaluation rows
    OUT/seed_S/CONDITION/MODEL/            the RUN of each trained model
    OUT/seed_S/CONDITION/eval_MODEL/       its EVAL; eval_base/ for the base

Every step recognises its own finished output, so a killed story continues where it was.
"""

import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

from blindpo.answer.local import LocalAnswers, PromptCache
from blindpo.blinding.config import BlindConfig
from blindpo.blinding.run import run_blind
from blindpo.demo.conditions import CONDITION, evaluation_rows, preference_rows
from blindpo.demo.pretrain import pretrain
from blindpo.demo.schedule import Task
from blindpo.demo.settings import BASE, DemoConfig, Variant
from blindpo.evaluation.config import EvaluateConfig
from blindpo.evaluation.run import evaluate
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import write_json
from blindpo.jobs.shards import ShardResult, run_sharded
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import PreferenceRow
from blindpo.training.config import TrainConfig
from blindpo.training.run import train

MAX_NEW_TOKENS: Final = 32
"""The longest sentence of the world has 22 tokens."""
GENERATION_BATCH: Final = 64
EVALUATION_SHARD: Final = 256
_PROMPTS: Final[PromptCache] = {}
"""A worker's tokenized evaluation prompts, so that each set is tokenized once per process."""


def story_tasks(config: DemoConfig, out: Path) -> list[Task]:
    """Return all tasks of all seeds: bases first, since everything depends on them."""
    tasks = [
        Task(name=f"base {seed}", work=make_base, arguments=(seed, out / f"seed_{seed}", config))
        for seed in config.seeds
    ]
    for seed in config.seeds:
        for condition, variants in config.variants.items():
            folder = out / f"seed_{seed}" / condition
            rows = f"rows {seed} {condition}"
            tasks.append(
                Task(name=rows, needs=(f"base {seed}",), work=make_rows, arguments=(seed, condition, folder, config))
            )
            tasks += [
                Task(name=f"{variant.name} {seed} {condition}", needs=(rows,), work=make_model,
                     arguments=(seed, variant, folder, config))
                for variant in variants
            ]  # fmt: skip
    return tasks


def make_base(seed: int, folder: Path, config: DemoConfig) -> dict[str, float]:
    """Make the base of one seed, renamed into place when it is complete."""
    clock = _Clock()
    if not (folder / BASE).is_dir():
        partial = folder / ".base.partial"
        shutil.rmtree(partial, ignore_errors=True)
        learned = pretrain(seed, partial, config.pretrain)
        write_json(folder / "base.json", {"seed": seed, **learned.figures})
        partial.rename(folder / BASE)
    clock.lap("base")
    return clock.seconds


def make_rows(seed: int, condition: str, folder: Path, config: DemoConfig) -> dict[str, float]:
    """Make preference rows, their second rejected answers, evaluation rows, and the base's evaluation."""
    clock = _Clock()
    kind = CONDITION[condition]
    pairs = preference_rows(kind, seed=seed, num_rows=config.num_pairs)
    _write_rows(folder / "pairs", pairs, what="pairs", seed=seed, condition=condition, count=config.num_pairs)
    evaluated = evaluation_rows(kind, seed=seed, num_pairs=config.num_evaluation_pairs)
    _write_rows(
        folder / "rows", evaluated, what="rows", seed=seed, condition=condition, count=config.num_evaluation_pairs
    )
    clock.lap("rows")
    source = resolve_model(folder.parent / BASE)
    vlm = load_vlm(source, device="cpu")
    for view in ("removed", "as_is"):
        blind = BlindConfig(
            view=view, temperature=1.0, max_new_tokens=MAX_NEW_TOKENS, seed=seed, batch_size=GENERATION_BATCH
        )
        run_blind(blind, folder / "pairs", LocalAnswers(source, blind, vlm=vlm), folder / f"pairs_{view}")
    clock.lap("blind")
    evaluate_model(folder, BASE, folder.parent / BASE, vlm)
    clock.lap("evaluate")
    return clock.seconds


def make_model(seed: int, variant: Variant, folder: Path, config: DemoConfig) -> dict[str, float]:
    """Train one model on the condition's pairs and evaluate it."""
    clock = _Clock()
    train_model(seed, variant, folder, config)
    clock.lap("train")
    evaluate_model(folder, variant.name, folder / variant.name)
    clock.lap("evaluate")
    return clock.seconds


def train_model(
    seed: int, variant: Variant, folder: Path, config: DemoConfig, *, packing: Literal["auto", "on", "off"] = "auto"
) -> None:
    """Train one model on the condition's pairs, into a folder with its name."""
    data = folder / ("pairs" if variant.second is None else f"pairs_{variant.second}")
    steps = round(config.steps * variant.steps_factor)
    train(
        TrainConfig(method=variant.method, beta=variant.beta, packing=packing),
        _training_arguments(variant, steps=steps, seed=seed, batch_size=config.batch_size),
        data=data,
        model=resolve_model(folder.parent / BASE),
        out=folder / variant.name,
    )


def _training_arguments(variant: Variant, *, steps: int, seed: int, batch_size: int) -> dict[str, Any]:
    return {
        "max_steps": steps,
        "per_device_train_batch_size": batch_size,
        "learning_rate": variant.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": max(1, steps // 8),
        "max_grad_norm": 1.0,
        "weight_decay": 0.0,
        "logging_steps": 5,
        "save_strategy": "no",
        "seed": seed,
        "use_cpu": True,
        "disable_tqdm": True,
        "report_to": "none",
    }


def evaluate_model(folder: Path, name: str, model: Path, vlm: Any = None) -> None:
    """Evaluate a model (`vlm` if it is loaded already) on the condition's rows, into a folder with its name."""
    source = resolve_model(model)
    config = EvaluateConfig(
        judge="oracle", max_new_tokens=MAX_NEW_TOKENS, batch_size=GENERATION_BATCH, shard_rows=EVALUATION_SHARD
    )
    rows = folder / "rows"
    answerer = LocalAnswers(
        source,
        config,
        vlm=vlm or load_vlm(source, device="cpu"),
        likelihoods=True,
        prompt_cache=_PROMPTS,
        scope=str(rows),
    )
    evaluate(config, rows, answerer, folder / f"eval_{name}")


def _write_rows(out: Path, rows: Iterable[PreferenceRow], **identity: object) -> None:
    folder = OutFolder(out, {"command": "demo", **identity})
    if folder.begin() == "done":
        return
    totals = run_sharded(folder, 1, lambda _: ShardResult(rows=list(rows)))
    folder.finish({"kept": totals.kept, "rejected": totals.rejected})


class _Clock:
    """Measures the seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the last call to `stage`."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
