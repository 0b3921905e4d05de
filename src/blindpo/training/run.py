"""`blindpo train`: the order of things, from rows to a RUN folder that is itself the saved model or adapter.

    rows -> examples (or rejects, with the reason) -> reference log-probabilities (cached) -> steps -> RUN -> read back

RUN holds the weights or the adapter, processor, chat template, run.json (base, method, options), metrics.jsonl,
probes.jsonl where it was probed, rejects.jsonl, trained_on.jsonl (hashes of the rows), a model card, checkpoints,
timings.json, and manifest.json, which is written last. The same command goes on after a kill and ends with the same
bytes, and on a finished run says so.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_text
from blindpo.models.vlm.adapters import lora_modules
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.source import ModelSource, fingerprint
from blindpo.rows.overlap import TRAINED_ON, keys_text, shared_words
from blindpo.rows.shards import data_hash, read_rows
from blindpo.training.arguments import DEFAULTS, WITHOUT_EFFECT, make_arguments
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors
from blindpo.training.launch import require_options, require_processes
from blindpo.training.loop import fit, teller
from blindpo.training.monitor.health import warnings
from blindpo.training.monitor.image_use import probe_figures, verdict
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.output.save import gathered, read_back, save_run, write_card
from blindpo.training.output.upload import Upload, asked_upload, push
from blindpo.training.packing.check import PathChoice, choose_path
from blindpo.training.preflight.run import before_lines, before_training
from blindpo.training.prepare import (
    Sets,
    count_rows,
    load_examples,
    require_base,
    require_blind,
    start_model,
    with_references,
    within_budget,
    without_blind_words,
    write_rejects,
)
from blindpo.training.trainer import PreferenceTrainer


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """What a run came to. `state` is "new", "resume" or "done" (it was finished before; nothing was run)."""

    out: Path
    state: str
    steps: int
    counts: dict[str, int]
    """Rows read, kept, rejected, without a blind response; of the evaluation rows with `eval_` before.
    `eval_training_rows`: how many evaluation rows are trained on."""
    final: dict[str, float]
    """The last value of each metric."""
    packed: bool
    """Whether the responses of a row shared one computation of its prompt."""
    before: dict[str, Any]
    """How off-policy the responses were before training (`forecast.before_training`)."""
    warnings: list[str]
    """Of training health, in words."""
    padding_share: float
    """Of the tokens that went through the model."""
    data_share: float | None
    """Of the time of the training loop, with its trial, evaluations and saves, that was spent waiting for data."""
    uploaded: str | None
    """The address that the run was pushed to."""
    is_main_process: bool = True
    """Of several processes one speaks for all."""


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
    state_dict = gathered(fitted)
    if settings.process_index == 0:
        trained = fitted.trainer
        saved_model = trained.accelerator.unwrap_model(trained.model, keep_fp32_wrapper=False)  # no autocast in forward
        record = {"arguments": arguments, "packing": ready.path.record, "engine": str(fitted.engine)}
        save_run(saved_model, ready.start, config, out=out, base=model, record=record, state=state_dict)
        if not fitted.engine.shards_weights:
            read_back(out, saved_model, config, ready.collator, example=ready.sets["train"][0])
        clock["save"] = time.perf_counter()
        manifest = _manifest(out, ready, trained)
        write_card(
            out, config, ready.sets["train"], manifest, base=model, identity=folder.identity, engine=fitted.engine
        )
        folder.finish(manifest, _timings(clock, trained.timings))
    settings.distributed_state.wait_for_everyone()
    return _finished(out, state, upload, settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """All that the steps need."""

    start: Vlm
    sets: Sets
    counts: dict[str, int]
    path: PathChoice
    collator: Collator
    without_blind: str
    """What is said of rows without a blind response under BPO; empty where there is nothing to say."""
    before: dict[str, float | str | int]
    """Empty on all processes but the first."""


def _prepare(
    config: TrainConfig, settings: Any, folder: OutFolder, vlm: Vlm | None, *,
    model: ModelSource, data: Path, eval_data: Path | None, clock: dict[str, float],
) -> _Ready:  # fmt: skip
    """From rows to examples with their references, and what is said of them before the first step."""
    start = start_model(vlm, model, config, settings)
    if config.lora:
        lora_modules(start.model, config.lora_targets)  # wrong names are said before all rows are encoded
    images = ImageTensors(start.processor)
    sets, rejects, counts = load_examples(config, images, start, data=data, eval_data=eval_data)
    examples = [example for part in sets.values() for example in part]
    path = choose_path(config, start.model, examples, images=images, pad_id=start.pad_id, settings=settings)
    sets, longer = within_budget(sets, config, packed=path.family is not None, paths={"train": data, "eval": eval_data})
    counts = count_rows(sets, [*rejects, *longer], counts)
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
    for line in before_lines(before) if before else ():
        teller(settings)(line)
    clock["reference"] = time.perf_counter()
    return _Ready(
        start=start, sets=sets, counts=counts, path=path, collator=collator, without_blind=without_blind, before=before
    )


def _manifest(out: Path, ready: _Ready, trained: PreferenceTrainer) -> dict[str, Any]:
    steps = trained.state.global_step
    return {
        "counts": ready.counts,
        "steps": steps,
        "final": _final_metrics(out),
        "before": ready.before,
        "warnings": [*filter(None, [_shared(ready.counts), ready.without_blind]), *_warnings(out)],
        "packed": ready.path.family is not None,
        "padding_share": trained.train_plan().padding_share(steps),
    }


def _finished(out: Path, state: str, upload: Upload | None, settings: Any) -> TrainSummary:
    """What the folder says; uploaded, where that was asked for, by the first process."""
    where = push(out, upload) if upload is not None and settings.process_index == 0 else None
    manifest, timings = read_json(out / "manifest.json"), read_json(out / "timings.json")
    names = ("steps", "counts", "final", "before", "warnings", "packed", "padding_share")
    found = {name: manifest[name] for name in names}
    return TrainSummary(
        out=out, state=state, **found, data_share=timings.get("data_share"), uploaded=where,
        is_main_process=settings.process_index == 0,
    )  # fmt: skip


def _identity(
    config: TrainConfig, arguments: Mapping[str, Any], *, data: Path, eval_data: Path | None
) -> dict[str, object]:
    """What tells runs apart; options that change no result are left out."""
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


def _warnings(out: Path) -> list[str]:
    """What the logs and the last probe tell; a function of files, so the same after a kill."""
    told = warnings(MetricsFile(out / "metrics.jsonl").read())
    found = [f"{each.text} (first at step {each.step}, last at step {each.last})" for each in told]
    last = _last_probe(out)
    said = verdict(last) if last else None
    return [*found, said] if said else found


def _last_probe(out: Path) -> dict[str, float]:
    records = MetricsFile(out / "probes.jsonl").read()
    return probe_figures(records[-1]) if records else {}


def _timings(clock: Mapping[str, float], timings: Mapping[str, float]) -> dict[str, float]:
    """Seconds that each part took, and the share of the loop's time that was spent waiting for data."""
    laps = {f"{name}_seconds": clock[name] - clock[before] for before, name in pairwise(clock)}
    waited = timings.get("data_seconds", 0.0)
    whole = max(timings.get("train_runtime", laps["steps_seconds"]), waited, 1e-9)
    return {**laps, **timings, "data_share": waited / whole}
