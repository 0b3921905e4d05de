"""`blindpo train`: the order of things, from rows to a RUN folder that is itself the saved model or adapter.

    rows -> examples (or rejects, with the reason) -> reference log-probabilities (cached) -> steps -> RUN -> read back

RUN holds the weights or the adapter, processor, chat template, run.json (base, method, options), metrics.jsonl,
rejects.jsonl, checkpoints, timings.json, and manifest.json, which is written last. The same command goes on after a
kill and ends with the same bytes, and on a finished run says so.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from transformers import TrainerState, set_seed

from blindpo.models.adapters import add_lora, freeze_vision
from blindpo.models.source import ModelSource, fingerprint
from blindpo.models.vlm import Vlm
from blindpo.rows.shards import data_hash
from blindpo.runs.folder import OutFolder
from blindpo.train.arguments import DEFAULTS, WITHOUT_EFFECT, make_arguments
from blindpo.train.checkpoints import latest_complete, state_of
from blindpo.train.collator import Collator
from blindpo.train.config import TrainConfig
from blindpo.train.examples import ImageTensors
from blindpo.train.metrics import MetricsFile
from blindpo.train.prepare import (
    Sets,
    count_rows,
    load_examples,
    require_base,
    start_model,
    with_references,
    within_budget,
    write_rejects,
)
from blindpo.train.saving import read_back, save_run
from blindpo.train.selfcheck import choose_path
from blindpo.train.trainer import PreferenceTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """What a run came to. `state` is "new", "resume" or "done" (it was finished before; nothing was run)."""

    out: Path
    state: str
    steps: int
    counts: dict[str, int]
    """Rows read, kept, rejected, without a blind response; of the evaluation rows with `eval_` before."""
    final: dict[str, float]
    """The last value of each metric."""
    packed: bool
    """Whether the responses of a row shared one computation of its prompt."""
    padding_share: float
    """The share of padding among all tokens that went through the model."""


def train(
    config: TrainConfig,
    arguments: Mapping[str, Any],
    *,
    data: Path,
    model: ModelSource,
    out: Path,
    eval_data: Path | None = None,
    vlm: Vlm | None = None,
) -> TrainSummary:
    """Train `model` on the rows of `data`; `arguments` are options of `TrainingArguments` by their own names.

    A `vlm` that is loaded already is copied, not changed.
    """
    settings = make_arguments(arguments, out, has_eval=eval_data is not None)
    require_base(config, model)
    identity = _identity(config, arguments, data=data, eval_data=eval_data)
    folder = OutFolder(out, {**identity, "model": vlm.fingerprint if vlm is not None else fingerprint(model)})
    with settings.main_process_first(local=False):
        state = folder.begin()
    if state == "done":
        return _summary(out, state, folder.manifest())
    clock = {"begin": time.perf_counter()}
    start = start_model(vlm, model, config, settings)
    images = ImageTensors(start.processor)
    sets, rejects, counts = load_examples(config, images, start, data=data, eval_data=eval_data)
    examples = [example for part in sets.values() for example in part]
    path = choose_path(config, start.model, examples, images=images, pad_id=start.pad_id, settings=settings)
    sets, longer = within_budget(sets, config, packed=path.family is not None, data=data)
    counts = count_rows(sets, [*rejects, *longer], counts)
    if settings.process_index == 0:
        write_rejects(out, [*rejects, *longer])
    clock["examples"] = time.perf_counter()
    collator = Collator(images, pad_id=start.pad_id, family=path.family)
    if config.reference == "cached":
        sets = with_references(sets, start, collator, config=config, settings=settings, folder=folder)
    clock["reference"] = time.perf_counter()
    trained = _fit(config, settings, start, sets=sets, collator=collator)
    clock["steps"] = time.perf_counter()
    trained_model = trained.accelerator.unwrap_model(trained.model, keep_fp32_wrapper=False)  # no autocast in forward
    steps = trained.state.global_step
    if settings.process_index == 0:
        save_run(trained_model, start, config, out=out, arguments=arguments, base=model, packing=path.record)
        read_back(out, trained_model, collator, sets["train"][0])
        clock["save"] = time.perf_counter()
        padding = trained.train_plan().padding_share(steps)
        made = {"packed": path.family is not None, "padding_share": padding}
        manifest = {"counts": counts, "steps": steps, "final": _final_metrics(out), **made}
        folder.finish(manifest, {**_laps(clock), **trained.timings})
    settings.distributed_state.wait_for_everyone()
    return _summary(out, state, folder.manifest())


def _identity(
    config: TrainConfig, arguments: Mapping[str, Any], *, data: Path, eval_data: Path | None
) -> dict[str, object]:
    """What tells runs apart; options that change no result are left out."""
    options = {key: value for key, value in {**DEFAULTS, **arguments}.items() if key not in WITHOUT_EFFECT}
    keys = {key: value for key, value in asdict(config).items() if key != "reference_cache"}
    hashes = {"data": data_hash(data), "eval": None if eval_data is None else data_hash(eval_data)}
    return {"command": "train", **keys, **options, **hashes}


def _fit(config: TrainConfig, settings: Any, start: Vlm, *, sets: Sets, collator: Collator) -> PreferenceTrainer:
    """All steps, from the last whole checkpoint where there is one."""
    set_seed(settings.seed)  # an adapter begins at random
    model = start.model
    reference = copy.deepcopy(model).requires_grad_(False) if config.reference == "online" else None
    if config.freeze_vision:
        freeze_vision(model)
    if config.lora:
        model = add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    out = Path(settings.output_dir)
    metrics = MetricsFile(out / "metrics.jsonl")
    trainer = PreferenceTrainer(
        model, settings, config, train=sets["train"], evaluation=sets.get("eval"), collator=collator, metrics=metrics,
        reference_model=reference,
    )  # fmt: skip
    checkpoint = latest_complete(out)
    step, sums = (0, {}) if checkpoint is None else state_of(checkpoint)
    if settings.process_index == 0:
        metrics.cut(step)
        trainer.training_sums.restore(sums)  # the sums of all processes
    if checkpoint is None:
        trainer.train()
        return trainer
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if step < trainer.state.max_steps:
        trainer.train(resume_from_checkpoint=str(checkpoint))
    else:  # killed after the last step; the inherited loop would take one more
        trainer._load_from_checkpoint(str(checkpoint))
    return trainer


def _final_metrics(out: Path) -> dict[str, float]:
    final: dict[str, float] = {}
    for record in MetricsFile(out / "metrics.jsonl").read():
        final.update(record)
    return {name: value for name, value in final.items() if name not in ("step", "epoch")}


def _laps(clock: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each part took."""
    names = list(clock)
    return {f"{name}_seconds": clock[name] - clock[before] for before, name in pairwise(names)}


def _summary(out: Path, state: str, manifest: Mapping[str, Any]) -> TrainSummary:
    names = ("steps", "counts", "final", "packed", "padding_share")
    return TrainSummary(out=out, state=state, **{name: manifest[name] for name in names})
