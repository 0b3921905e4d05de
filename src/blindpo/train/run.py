"""`blindpo train`: the order of things, from rows to a RUN folder that is itself the saved model or adapter.

    rows -> examples (or rejects, with the reason) -> reference log-probabilities (cached) -> steps -> RUN -> read back

RUN holds the weights or the adapter, processor, chat template, run.json (base, method, options), metrics.jsonl,
rejects.jsonl, checkpoints, timings.json, and manifest.json, which is written last. The same command goes on after a
kill and ends with the same bytes, and on a finished run says so.
"""

import copy
import json
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import torch
from transformers import TrainerState, set_seed

from blindpo.errors import ModelError, NothingKeptError
from blindpo.models.adapters import add_lora, freeze_vision
from blindpo.models.logprobs import response_logps
from blindpo.models.source import ModelSource, fingerprint, resolve_model
from blindpo.models.vlm import Vlm, load_vlm
from blindpo.rows.shards import data_hash, read_rows
from blindpo.runs.folder import OutFolder
from blindpo.runs.local import Reject
from blindpo.runs.manifest import write_json, write_text
from blindpo.train.arguments import DEFAULTS, WITHOUT_EFFECT, make_arguments
from blindpo.train.checkpoints import latest_complete, state_of
from blindpo.train.collator import Collator
from blindpo.train.config import TrainConfig
from blindpo.train.examples import Example, ImageTensors, make_examples
from blindpo.train.metrics import MetricsFile
from blindpo.train.reference import ReferenceCache, Sequences, with_reference
from blindpo.train.trainer import PreferenceTrainer

DROPOUTS: Final = ("dropout", "attention_dropout", "activation_dropout", "hidden_dropout")
RELOAD_TOLERANCE_NATS: Final = 1e-3


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
    _require_base(config, model)
    identity = _identity(config, arguments, data=data, eval_data=eval_data)
    folder = OutFolder(out, {**identity, "model": vlm.fingerprint if vlm is not None else fingerprint(model)})
    state = folder.begin()
    if state == "done":
        return _summary(out, state, folder.manifest())
    clock = {"begin": time.perf_counter()}
    start = _start(vlm, model, config, settings)
    images = ImageTensors(start.processor)
    sets, counts = _examples(config, images, start, data=data, eval_data=eval_data, out=out)
    clock["examples"] = time.perf_counter()
    collator = Collator(images, pad_id=start.pad_id)
    if config.reference == "cached":
        sets = _with_references(sets, start, collator, config=config, settings=settings, folder=folder)
    clock["reference"] = time.perf_counter()
    trained = _fit(config, settings, start, sets=sets, collator=collator)
    clock["steps"] = time.perf_counter()
    trained_model = trained.accelerator.unwrap_model(trained.model, keep_fp32_wrapper=False)  # no autocast in forward
    _save(trained_model, start, config, out=out, arguments=arguments, base=model)
    steps, timings = trained.state.global_step, dict(trained.timings)
    _read_back(out, trained_model, collator, sets["train"][0])
    clock["save"] = time.perf_counter()
    manifest = {"counts": counts, "steps": steps, "final": _final_metrics(out)}
    folder.finish(manifest, {**_laps(clock), **timings})
    return _summary(out, state, manifest)


def _identity(
    config: TrainConfig, arguments: Mapping[str, Any], *, data: Path, eval_data: Path | None
) -> dict[str, object]:
    """What tells runs apart; options that change no result are left out."""
    options = {key: value for key, value in {**DEFAULTS, **arguments}.items() if key not in WITHOUT_EFFECT}
    keys = {key: value for key, value in asdict(config).items() if key != "reference_cache"}
    hashes = {"data": data_hash(data), "eval": None if eval_data is None else data_hash(eval_data)}
    return {"command": "train", **keys, **options, **hashes}


def _require_base(config: TrainConfig, model: ModelSource) -> None:
    if model.adapter is not None and config.lora:
        raise ModelError(f"--model {model.given} is an adapter; another one on top would have no base: leave lora out")


def _start(vlm: Vlm | None, source: ModelSource, config: TrainConfig, settings: Any) -> Vlm:
    """The model to train, in evaluation mode and without dropout: log-probabilities must not depend on chance."""
    if vlm is None:
        vlm = load_vlm(source, dtype=config.dtype, device=str(settings.device))
    else:
        vlm = Vlm(copy.deepcopy(vlm.model), vlm.processor, vlm.source, vlm.fingerprint)
    model = vlm.model.merge_and_unload() if source.adapter is not None else vlm.model
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in DROPOUTS:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return Vlm(model.to(settings.device).eval(), vlm.processor, vlm.source, vlm.fingerprint)


def _examples(
    config: TrainConfig, images: ImageTensors, start: Vlm, *, data: Path, eval_data: Path | None, out: Path
) -> tuple[dict[str, list[Example]], dict[str, int]]:
    """Examples by "train" and "eval", and their counts; the rejected rows go to rejects.jsonl."""
    positions = getattr(start.model.config.get_text_config(), "max_position_embeddings", None)
    limits = [limit for limit in (config.max_length, positions) if limit is not None]
    use_blind, max_length = config.method == "bpo", min(limits, default=None)
    sets: dict[str, list[Example]] = {}
    rejects: list[Reject] = []
    counts: dict[str, int] = {}
    for stage, path in (("train", data), ("eval", eval_data)):
        if path is None:
            continue
        made = list(make_examples(read_rows(path), images, use_blind=use_blind, max_length=max_length, stage=stage))
        kept = [each for each in made if isinstance(each, Example)]
        dropped = [each for each in made if isinstance(each, Reject)]
        prefix = "" if stage == "train" else "eval_"
        counts |= {
            f"{prefix}read": len(made),
            f"{prefix}kept": len(kept),
            f"{prefix}rejected": len(dropped),
            f"{prefix}without_blind": sum(not each.row.blind for each in kept),
        }
        sets[stage] = kept
        rejects += dropped
        if not kept:
            reason = dropped[0].reason if dropped else "there is none"
            raise NothingKeptError(f"no row of {path} can be used to {stage}; the first reason: {reason}")
    write_text(out / "rejects.jsonl", "".join(json.dumps(asdict(each)) + "\n" for each in rejects))
    return sets, counts


def _with_references(
    sets: dict[str, list[Example]], start: Vlm, collator: Collator, *, config: TrainConfig, settings: Any,
    folder: OutFolder,
) -> dict[str, list[Example]]:  # fmt: skip
    autocast = torch.bfloat16 if settings.bf16 else torch.float16 if settings.fp16 else None
    device = settings.device.type

    def score(sequences: Sequences) -> list[float]:
        context = nullcontext() if autocast is None else torch.autocast(device, dtype=autocast)
        with torch.no_grad(), context:
            sums_N = response_logps(start.model, collator.sequences(sequences)).sums_N
        return [float(value) for value in sums_N.tolist()]

    numerics = {"dtype": config.dtype, "autocast": str(autocast), "device": device, "torch": torch.__version__}
    cache = ReferenceCache(
        folder=Path(config.reference_cache) if config.reference_cache else folder.work / "reference",
        identity={"model": start.fingerprint, **numerics},
        batch_size=settings.per_device_eval_batch_size,
    )
    quiet = bool(settings.disable_tqdm)
    return {stage: with_reference(examples, score, cache, quiet=quiet) for stage, examples in sets.items()}


def _fit(
    config: TrainConfig, settings: Any, start: Vlm, *, sets: dict[str, list[Example]], collator: Collator
) -> PreferenceTrainer:
    """All steps, from the last whole checkpoint where there is one."""
    set_seed(settings.seed)  # an adapter begins at random
    model = start.model
    if config.freeze_vision:
        freeze_vision(model)
    if config.lora:
        model = add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    out = Path(settings.output_dir)
    metrics = MetricsFile(out / "metrics.jsonl")
    trainer = PreferenceTrainer(
        model, settings, config, train=sets["train"], evaluation=sets.get("eval"), collator=collator, metrics=metrics
    )
    checkpoint = latest_complete(out)
    step, sums = (0, {}) if checkpoint is None else state_of(checkpoint)
    metrics.cut(step)
    trainer.training_sums.restore(sums)
    if checkpoint is None:
        trainer.train()
        return trainer
    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    if step < trainer.state.max_steps:
        trainer.train(resume_from_checkpoint=str(checkpoint))
    else:  # killed after the last step; the inherited loop would take one more
        trainer._load_from_checkpoint(str(checkpoint))
    return trainer


def _save(
    model: Any, start: Vlm, config: TrainConfig, *, out: Path, arguments: Mapping[str, Any], base: ModelSource
) -> None:
    """Weights or adapter, processor with its template, and the run's record."""
    model.eval()
    model.config.use_cache = True  # transformers' loop turns it off, and would leave it so in config.json
    model.save_pretrained(out)
    start.processor.save_pretrained(out)
    named = base.given if base.path is None else os.path.relpath(base.path, out)
    options = {key: value for key, value in arguments.items() if key not in WITHOUT_EFFECT}
    write_json(out / "run.json", {"base": named, **asdict(config), "arguments": options})


def _read_back(out: Path, model: Any, collator: Collator, example: Example) -> None:
    """Raises ModelError where the saved model gives other log-probabilities than the one in memory."""
    device = next(model.parameters()).device
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    saved = load_vlm(resolve_model(out), dtype=dtype, device=str(device)).model
    batch = collator.sequences([(example, response) for response in example.responses])
    with torch.no_grad():
        here_S, there_S = (response_logps(each, batch).sums_N for each in (model, saved))
    difference = float((here_S - there_S).abs().max())
    if not difference <= RELOAD_TOLERANCE_NATS:
        raise ModelError(f"{out}: the saved model's log-probabilities differ by {difference} nats; do not use it")


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
    return TrainSummary(
        out=out, state=state, steps=manifest["steps"], counts=manifest["counts"], final=manifest["final"]
    )
