"""Run `blindpo train`, from rows to a RUN folder that is itself the saved model or adapter.

    rows -> examples (or rejects, with the reason) -> reference log-probabilities (cached) -> steps -> RUN -> read back

RUN holds the weights or the adapter, processor, chat template, run.json (base, method, options), metrics.jsonl,
probes.jsonl with probe_steps, rejects.jsonl, trained_on.jsonl (hashes of the rows), a model card, checkpoints,
timings.json, and manifest.json, which is written last. The same command goes on after a kill and ends with the same
bytes; for a finished run it prints the result again.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_text
from blindpo.models.vlm.adapters import lora_modules
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.source import ModelSource, fingerprint
from blindpo.rows.overlap import TRAINED_ON, keys_text, shared_words
from blindpo.rows.shards import data_hash, read_rows
from blindpo.training.arguments import DEFAULTS, WITHOUT_EFFECT, make_arguments, typed_options
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors, Sets
from blindpo.training.launch import require_options, require_processes
from blindpo.training.loop import fit, teller
from blindpo.training.methods import METHODS
from blindpo.training.monitor.health import warnings
from blindpo.training.monitor.image_use import probe_figures, verdict
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.output.save import read_back, save_run, write_model_card
from blindpo.training.output.upload import Upload, asked_upload, push
from blindpo.training.preflight.off_policy import before_lines, before_training
from blindpo.training.preflight.packing_check import PathChoice, choose_path
from blindpo.training.prepare import (
    load_examples,
    require_base,
    require_blind,
    row_counts,
    start_model,
    within_budget,
    without_blind_words,
    write_rejects,
)
from blindpo.training.reference import with_references
from blindpo.training.trainer import PreferenceTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """The outcome of a run. `state` is "new", "resume" or "done" (it was finished before; nothing was run)."""

    out: Path
    state: str
    steps: int
    counts: dict[str, int]
    """Rows read, kept, rejected, and without a blind response; for evaluation rows under the same names after `eval_`.
    `eval_training_rows` is the number of evaluation rows that are trained on."""
    final: dict[str, float]
    """The last value of each metric."""
    packed: bool
    """Whether the responses of a row shared one computation of its prompt."""
    before: dict[str, Any]
    """How off-policy the responses were before training (`preflight.off_policy.before_training`)."""
    warnings: list[str]
    """Sentences about training health."""
    padding_share: float
    """Share of padding among the tokens that went through the model."""
    data_share: float | None
    """Share of the training loop's time, trial, evaluations and saves included, that was spent waiting for data."""
    uploaded: str | None
    """The address that the run was pushed to."""
    is_main_process: bool = True
    """Whether this is the one process, of several, that prints results."""


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
    arguments = typed_options(arguments)
    require_processes(os.environ, settings.world_size)
    require_options(os.environ, settings)
    upload = asked_upload(arguments)
    require_base(config, model)
    require_blind(config, data, read_rows(data))  # before the model is loaded and --out is claimed
    identity = _identity(config, arguments, data=data, eval_data=eval_data) | {"processes": settings.world_size}
    folder = OutFolder(out, {**identity, "model": vlm.fingerprint if vlm is not None else fingerprint(model)})
    with settings.main_process_first(local=False):
        state = folder.begin()
    if state == "done":
        return _finished(out, state, upload, settings)
    clock = {"begin": time.perf_counter()}
    ready = _prepare(config, settings, folder, vlm, model=model, data=data, eval_data=eval_data, clock=clock)
    fitted = fit(config, settings, ready.start, sets=ready.sets, collator=ready.collator)
    clock["steps"] = time.perf_counter()
    state_dict = fitted.whole_weights()
    if settings.process_index == 0:
        trained = fitted.trainer
        saved_model = trained.accelerator.unwrap_model(trained.model, keep_fp32_wrapper=False)  # no autocast in forward
        options = {key: value for key, value in arguments.items() if key not in WITHOUT_EFFECT}
        record = {"arguments": options, "packing": ready.path.record, "engine": str(fitted.engine)}
        save_run(saved_model, ready.start, config, out=out, base=model, record=record, state=state_dict)
        if not fitted.engine.shards_weights:
            read_back(out, saved_model, config, ready.collator, example=ready.sets["train"][0])
        clock["save"] = time.perf_counter()
        manifest = _manifest(out, config, ready, trained)
        write_model_card(
            out, config, ready.sets["train"], manifest, base=model, identity=folder.identity, engine=fitted.engine
        )
        folder.finish(manifest, _timings(clock, trained.timings))
    settings.distributed_state.wait_for_everyone()
    return _finished(out, state, upload, settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """Everything that the steps need."""

    start: Vlm
    sets: Sets
    counts: dict[str, int]
    path: PathChoice
    collator: Collator
    without_blind: str
    """A warning about rows without a blind response; empty if there is none."""
    before: dict[str, float | str | int]
    """What `before_training` gave; empty on all processes but the first."""


def _prepare(
    config: TrainConfig, settings: TrainingArguments, folder: OutFolder, vlm: Vlm | None, *,
    model: ModelSource, data: Path, eval_data: Path | None, clock: dict[str, float],
) -> _Ready:  # fmt: skip
    """Turn rows into examples with their references, and say what is known of them before the first step."""
    start = start_model(vlm, model, config, settings)
    if config.lora:
        lora_modules(start.model, config.lora_targets)  # so that wrong names are reported before all rows are encoded
    images = ImageTensors(start.processor)
    sets, rejects, counts = load_examples(config, images, start, data=data, eval_data=eval_data)
    examples = [example for part in sets.values() for example in part]
    path = choose_path(config, start.model, examples, images=images, pad_id=start.pad_id, settings=settings)
    sets, longer = within_budget(sets, config, packed=path.family is not None, paths={"train": data, "eval": eval_data})
    counts = row_counts(sets, [*rejects, *longer], counts)
    require_blind(config, data, (example.row for example in sets["train"]))  # those that had one may be rejected
    without_blind = without_blind_words(config, counts)
    if settings.process_index == 0:
        write_rejects(folder.path, [*rejects, *longer])
        write_text(folder.path / TRAINED_ON, keys_text(example.row for example in sets["train"]))
    for warning in filter(None, (_shared(counts), without_blind)):
        teller(settings)(f"WARNING: {warning}")
    clock["examples"] = time.perf_counter()
    collator = Collator(images, pad_id=start.pad_id, family=path.family)
    if config.reference == "cached":
        sets = with_references(sets, start, collator, config=config, settings=settings, folder=folder)
    before = before_training(sets["train"], collator, start.model, settings) if settings.process_index == 0 else {}
    for line in before_lines(before, at_start=METHODS[config.method].pair_at_start) if before else ():
        teller(settings)(line)
    clock["reference"] = time.perf_counter()
    return _Ready(
        start=start, sets=sets, counts=counts, path=path, collator=collator, without_blind=without_blind, before=before
    )


def _manifest(out: Path, config: TrainConfig, ready: _Ready, trained: PreferenceTrainer) -> dict[str, Any]:
    steps = trained.state.global_step
    return {
        "counts": ready.counts,
        "steps": steps,
        "final": _final_metrics(out),
        "before": ready.before,
        "warnings": [*filter(None, [_shared(ready.counts), ready.without_blind]), *_warnings(out, config)],
        "packed": ready.path.family is not None,
        "padding_share": trained.step_plan().padding_share(steps),
    }


def _finished(out: Path, state: str, upload: Upload | None, settings: TrainingArguments) -> TrainSummary:
    """Read the summary from the folder; the first process uploads the run if asked to."""
    where = push(out, upload) if upload is not None and settings.process_index == 0 else None
    manifest, timings = read_json(out / "manifest.json"), read_json(out / "timings.json")
    names = ("steps", "counts", "final", "before", "warnings", "packed", "padding_share")
    return TrainSummary(
        out=out, state=state, **{name: manifest[name] for name in names},
        data_share=timings.get("data_share"), uploaded=where, is_main_process=settings.process_index == 0,
    )  # fmt: skip


def _identity(
    config: TrainConfig, arguments: Mapping[str, Any], *, data: Path, eval_data: Path | None
) -> dict[str, object]:
    """What makes two runs different; options that change no result are left out."""
    options = {key: value for key, value in {**DEFAULTS, **arguments}.items() if key not in WITHOUT_EFFECT}
    keys = {key: value for key, value in asdict(config).items() if key != "reference_cache"}
    hashes = {"data": data_hash(data), "eval": None if eval_data is None else data_hash(eval_data)}
    return {"command": "train", **keys, **options, **hashes}


def _shared(counts: Mapping[str, int]) -> str:
    return shared_words(counts.get("eval_training_rows", 0), counts.get("eval_kept", 0))


def _final_metrics(out: Path) -> dict[str, float]:
    final: dict[str, float] = {}
    for record in MetricsFile(out / "metrics.jsonl").read():
        final.update(record)
    final.update(_last_probe(out))
    return {name: value for name, value in final.items() if name not in ("step", "epoch")}


def _warnings(out: Path, config: TrainConfig) -> list[str]:
    """What the logs and the last probe show; a function of files, so the same after a kill."""
    records = MetricsFile(out / "metrics.jsonl").read()
    of_logs = [
        f"{each.text} (first at step {each.step}, last at step {each.last})"
        for each in warnings(records, at_start=METHODS[config.method].pair_at_start)
    ]
    last = _last_probe(out)
    of_probe = verdict(last) if last else None
    return [*of_logs, of_probe] if of_probe else of_logs


def _last_probe(out: Path) -> dict[str, float]:
    records = MetricsFile(out / "probes.jsonl").read()
    return probe_figures(records[-1]) if records else {}


def _timings(clock: Mapping[str, float], timings: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each part took, and the share of the loop's time spent waiting for data."""
    laps = {f"{name}_seconds": clock[name] - clock[before] for before, name in pairwise(clock)}
    waited = timings.get("data_seconds", 0.0)
    whole = max(timings.get("train_runtime", laps["steps_seconds"]), waited, 1e-9)
    return {**laps, **timings, "data_share": waited / whole}
