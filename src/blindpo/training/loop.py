"""All steps of a run: the trainer, what looks on, and going on from the last whole checkpoint."""

import copy
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import TrainerState, set_seed

from blindpo.errors import ConfigError
from blindpo.models.vlm.adapters import add_lora, freeze_vision
from blindpo.models.vlm.load import Vlm
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example
from blindpo.training.launch import Engine, require_engine, running
from blindpo.training.methods import METHODS
from blindpo.training.monitor.callbacks import HealthWatch, ProbeWatch, Say, say
from blindpo.training.monitor.image_use import probe_rows, usable_rows
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.output.checkpoints import drop_half_written, latest_complete, state_of
from blindpo.training.precision import cast_weights, weights_dtype
from blindpo.training.preflight.run import PlanWatch
from blindpo.training.prepare import Sets
from blindpo.training.trainer import PreferenceTrainer

BEFORE_ALL: int = -1
"""A step before the first: nothing that was logged then is kept."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trainer that has taken all its steps, and the engine that it took them with."""

    trainer: PreferenceTrainer
    engine: Engine


def fit(config: TrainConfig, settings: Any, start: Vlm, *, sets: Sets, collator: Collator) -> Fitted:
    """Train `start` on `sets`; raises ConfigError where another engine would run than was asked for."""
    set_seed(settings.seed)  # an adapter begins at random
    model = start.model
    reference = _online_reference(model, settings) if config.reference == "online" else None
    if config.freeze_vision:
        freeze_vision(model)
    if config.lora:
        model = add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    if settings.ddp_find_unused_parameters is None:
        settings.ddp_find_unused_parameters = not _touches_all(config, sets["train"])
    trainer = PreferenceTrainer(
        model, settings, config, train=sets["train"], evaluation=sets.get("eval"), collator=collator,
        metrics=MetricsFile(Path(settings.output_dir) / "metrics.jsonl"), reference_model=reference,
    )  # fmt: skip
    engine = running(trainer.accelerator)
    require_engine(os.environ, settings, engine)
    _add_watches(trainer, engine, config, start)
    _take_steps(trainer)
    return Fitted(trainer, engine)


def _touches_all(config: TrainConfig, examples: Sequence[Example]) -> bool:
    """Whether every micro-batch touches all that trains, so that DDP need not look for what it passed over.

    The language model is in each. The projector is too, by a companion (`steps.py`), if any row has a picture; of a
    vision tower that trains, a family may leave the last layers out.
    """
    return config.lora or (config.freeze_vision and any(example.image_key for example in examples))


def _online_reference(model: Any, settings: Any) -> Any:
    """A copy of the model before training, in the precision of the policy."""
    reference = copy.deepcopy(model).requires_grad_(False)
    dtype = weights_dtype(settings)
    if dtype is not None:
        cast_weights(reference, dtype)
    return reference


def teller(settings: Any) -> Say:
    """Says lines on the first process; nothing under disable_tqdm."""
    return say if settings.process_index == 0 and not settings.disable_tqdm else lambda line: None


def probes_file(settings: Any) -> MetricsFile:
    """Where probes go."""
    return MetricsFile(Path(settings.output_dir) / "probes.jsonl")


def _add_watches(trainer: PreferenceTrainer, engine: Engine, config: TrainConfig, start: Vlm) -> None:
    tell = teller(trainer.args)
    trainer.add_callback(PlanWatch(trainer, engine, tell))
    trainer.add_callback(HealthWatch(tell, at_start=METHODS[config.method].pair_at_start))
    if config.probe_steps == 0:
        return
    rows = usable_rows(start, probe_rows([each.row for each in trainer.train_dataset], config.probe_rows))
    if not rows:
        raise ConfigError("probe_steps has no effect: no training row has an image; leave it out")
    watch = ProbeWatch(start, rows, every=config.probe_steps, file=probes_file(trainer.args), tell=tell)
    trainer.add_callback(watch)


def _take_steps(trainer: PreferenceTrainer) -> None:
    """From the last whole checkpoint where there is one; what was logged after it is logged again."""
    run, process = Path(trainer.args.output_dir), trainer.args.process_index
    with trainer.args.main_process_first(local=False):
        if process == 0:
            drop_half_written(run)
    checkpoint = latest_complete(run)
    step, sums = (0, []) if checkpoint is None else state_of(checkpoint)
    if process == 0:
        trainer.metrics_file.cut(step)
        if trainer.preference.probe_steps:
            probes_file(trainer.args).cut(BEFORE_ALL if checkpoint is None else step)
    if checkpoint is not None:
        trainer.training_sums.restore(sums[process])  # its own: added up in another order, the last digit may differ
    if checkpoint is None:
        trainer.train()
        return
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if step < trainer.state.max_steps:
        trainer.train(resume_from_checkpoint=str(checkpoint))
    elif trainer.args.load_best_model_at_end and trainer.state.best_model_checkpoint is not None:
        trainer._load_best_model()
    else:  # killed after the last step; the inherited loop would take one more
        trainer._load_from_checkpoint(str(checkpoint))
