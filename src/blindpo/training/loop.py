"""Take all steps of a run: make the trainer, add its callbacks, and go on from the last whole checkpoint."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transformers import TrainerState, TrainingArguments, set_seed

from blindpo.errors import ConfigError
from blindpo.models.vlm.adapters import add_lora, freeze_vision
from blindpo.models.vlm.load import Vlm
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example, Sets
from blindpo.training.launch import TrainEngine, require_engine, running
from blindpo.training.methods import METHODS
from blindpo.training.monitor.callbacks import HealthWatch, ProbeWatch, Say, say
from blindpo.training.monitor.image_use import probe_rows, usable_rows
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.output.checkpoints import drop_half_written, latest_complete, state_of
from blindpo.training.preflight.trial import MemoryWatch
from blindpo.training.reference import frozen_copy
from blindpo.training.trainer import PreferenceTrainer

BEFORE_ALL: Final = -1
"""A step before the first: cutting a log there leaves nothing."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trainer that has taken all its steps, and the engine that it took them with."""

    trainer: PreferenceTrainer
    engine: TrainEngine

    def whole_weights(self) -> dict[str, Any] | None:
        """All weights of a model whose parts are on several processes; None where each has all. Every process calls."""
        if not self.engine.shards_weights:
            return None
        weights: dict[str, Any] = self.trainer.accelerator.get_state_dict(self.trainer.model_wrapped)
        return weights


def fit(config: TrainConfig, settings: TrainingArguments, start: Vlm, *, sets: Sets, collator: Collator) -> Fitted:
    """Train `start` on `sets`; raises ConfigError where another engine would run than was asked for."""
    set_seed(settings.seed)  # an adapter starts with random weights
    model = start.model
    reference = frozen_copy(model, settings) if config.reference == "online" else None
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
    """Whether every micro-batch uses every trainable parameter, so that DDP can skip find_unused_parameters.

    All use the language model. If any row has an image, the dummy row (`micro_batches.py`) makes all use the projector
    too. A vision tower that trains does not count: some families leave its last layers out.
    """
    return config.lora or (config.freeze_vision and any(example.image_key for example in examples))


def teller(settings: TrainingArguments) -> Say:
    """A function that prints lines on the first process, and nothing under disable_tqdm."""
    return say if settings.process_index == 0 and not settings.disable_tqdm else lambda line: None


def probes_file(settings: TrainingArguments) -> MetricsFile:
    """The file of probe results."""
    return MetricsFile(Path(settings.output_dir) / "probes.jsonl")


def _add_watches(trainer: PreferenceTrainer, engine: TrainEngine, config: TrainConfig, start: Vlm) -> None:
    tell = teller(trainer.args)
    trainer.add_callback(MemoryWatch(trainer, engine, tell))
    trainer.add_callback(HealthWatch(tell, at_start=METHODS[config.method].pair_at_start))
    if config.probe_steps == 0:
        return
    rows = usable_rows(start, probe_rows([each.row for each in trainer.train_dataset], config.probe_rows))
    if not rows:
        raise ConfigError("probe_steps has no effect: no training row has an image; leave it out")
    watch = ProbeWatch(start, rows, every=config.probe_steps, file=probes_file(trainer.args), tell=tell)
    trainer.add_callback(watch)


def _take_steps(trainer: PreferenceTrainer) -> None:
    """Go on from the last whole checkpoint if there is one; what was logged after it is logged again."""
    run, process = Path(trainer.args.output_dir), trainer.args.process_index
    with trainer.args.main_process_first(local=False):
        if process == 0:
            drop_half_written(run)
    checkpoint = latest_complete(run)
    step, sums = (0, []) if checkpoint is None else state_of(checkpoint)
    if process == 0:
        trainer.metrics_file.cut(step)
        if trainer.config.probe_steps:
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
        trainer.load_weights(Path(trainer.state.best_model_checkpoint))
    else:  # killed after the last step; the inherited loop would take one more
        trainer.load_weights(checkpoint)
