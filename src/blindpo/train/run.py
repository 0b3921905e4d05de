"""`blindpo train`: rows in, a RUN folder out, which is itself the saved model; killed and run again, the same bytes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed

from blindpo.errors import ModelError, NothingKeptError
from blindpo.models.adapters import add_lora, freeze_vision
from blindpo.models.logprobs import response_logps
from blindpo.models.prompt import collate
from blindpo.models.source import ModelSource, fingerprint, resolve_model
from blindpo.models.vlm import Vlm, load_vlm
from blindpo.rows.shards import data_hash, read_rows
from blindpo.runs.folder import OutFolder
from blindpo.runs.local import Reject
from blindpo.runs.manifest import read_json, write_json, write_text
from blindpo.train.arguments import training_arguments
from blindpo.train.checkpoints import cut_metrics, last_complete, read_state
from blindpo.train.collator import Collator
from blindpo.train.config import TrainConfig
from blindpo.train.examples import Example, count_without_blind, encode_rows
from blindpo.train.reference import ReferenceCache, reference_logps
from blindpo.train.trainer import PreferenceTrainer

RELOAD_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """What a run did."""

    rows: int
    rejected: int
    without_blind: int
    steps: int
    metrics: dict[str, float]
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
    """Train `model` on `data` into `out`. `vlm` is `model` loaded already: it is trained in place."""
    args = training_arguments(arguments, out)
    identity = {
        "command": "train",
        "config": asdict(config),
        "arguments": dict(arguments),
        "data": data_hash(data),
        "eval": data_hash(eval_data) if eval_data else None,
        "model": vlm.fingerprint if vlm else fingerprint(model),
    }
    folder = OutFolder(out, identity)
    if folder.begin() == "done":
        return TrainSummary(**folder.manifest()["summary"])  # type: ignore[arg-type]
    set_seed(args.seed)
    loaded = vlm or load_vlm(model)
    examples, rejects = _examples(config, loaded, data)
    _write_rejects(out, rejects)
    if not examples:
        raise NothingKeptError(f"none of {len(rejects)} rows can be trained on, see {out / 'rejects.jsonl'}")
    held_out = _examples(config, loaded, eval_data)[0] if eval_data else None
    trainer = _trainer(config, args, loaded, examples=examples, held_out=held_out)
    _fit(trainer, out)
    write_json(out / "run.json", {"base": model.given, "base_fingerprint": loaded.fingerprint, **identity})
    _save(trainer, loaded, out, examples[0])
    metrics = last_metrics(out)
    summary = TrainSummary(
        rows=len(examples),
        rejected=len(rejects),
        without_blind=count_without_blind(examples),
        steps=trainer.state.global_step,
        metrics=metrics,
    )
    folder.finish({"summary": asdict(summary)}, dict(trainer.clock))
    return summary


def _examples(config: TrainConfig, vlm: Vlm, data: Path) -> tuple[list[Example], list[Reject]]:
    positions = getattr(vlm.model.config.get_text_config(), "max_position_embeddings", None)
    limit = config.max_length or positions
    return encode_rows(vlm.processor, read_rows(data), use_blind=config.method == "bpo", max_length=limit)


def _write_rejects(out: Path, rejects: list[Reject]) -> None:
    lines = [json.dumps(asdict(reject), ensure_ascii=False) + "\n" for reject in rejects]
    write_text(out / "rejects.jsonl", "".join(lines))


def _trainer(
    config: TrainConfig, args: TrainingArguments, vlm: Vlm, *, examples: list[Example], held_out: list[Example] | None
) -> PreferenceTrainer:
    reference = None
    if config.reference == "cached":
        reference = _reference(config, args, vlm, [*examples, *(held_out or [])])
    model = _trainable(config, vlm.model)
    return PreferenceTrainer(
        model=model,
        args=args,
        train_dataset=examples,
        eval_dataset=held_out,
        data_collator=Collator(vlm.pad_id, reference),
        beta=config.beta,
        metrics_path=Path(args.output_dir) / "metrics.jsonl",
    )


def _reference(config: TrainConfig, args: TrainingArguments, vlm: Vlm, examples: list[Example]) -> Mapping[str, float]:
    """The cached reference; the model has not been touched yet, so it is its own reference."""
    folder = Path(config.reference_cache or Path(args.output_dir) / "reference")
    cache = ReferenceCache(folder, fingerprint=vlm.fingerprint, dtype="bfloat16" if args.bf16 else "float32")
    vlm.model.eval()
    size = max(8, 3 * args.per_device_train_batch_size)
    return reference_logps(vlm.model, examples, cache, pad_id=vlm.pad_id, batch_sequences=size, bf16=args.bf16)


def _trainable(config: TrainConfig, model: Any) -> Any:
    """What trains: float32 weights (bf16 computes through autocast), dropout off as the reference has it."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    if config.lora:
        return add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    model.requires_grad_(True)
    if config.freeze_vision:
        freeze_vision(model)
    return model


def _fit(trainer: PreferenceTrainer, out: Path) -> None:
    """Train from the last whole checkpoint, or from the start."""
    checkpoint = last_complete(out)
    if checkpoint is None:
        (out / "metrics.jsonl").unlink(missing_ok=True)
        trainer.train()
        return
    state = read_state(checkpoint)
    cut_metrics(out / "metrics.jsonl", state["metrics_lines"])
    trainer.means.restore(state["means"])
    trainer.train(resume_from_checkpoint=str(checkpoint))


def _save(trainer: PreferenceTrainer, vlm: Vlm, out: Path, probe: Example) -> None:
    """Save model and processor into RUN, load them again, and hold a response's log-probability against the trained."""
    trainer.save_model(str(out))
    (out / "training_args.bin").unlink(missing_ok=True)  # a pickle with this machine's paths; run.json has it all
    vlm.processor.save_pretrained(str(out))
    trained = _probe(trainer.model, probe, vlm.pad_id)
    again = _probe(load_vlm(resolve_model(str(out)), device=str(trainer.args.device)).model, probe, vlm.pad_id)
    if abs(trained - again) > RELOAD_TOLERANCE * max(1.0, abs(trained)):
        raise ModelError(f"{out} was saved but reloads as another model (log-probability {again} against {trained})")


@torch.inference_mode()
def _probe(model: Any, example: Example, pad_id: int) -> float:
    model.eval()
    return float(response_logps(model, collate([example.prompt], [example.responses[0]], pad_id=pad_id)).sums_N[0])


def last_metrics(run: Path) -> dict[str, float]:
    """The last value of each metric in `metrics.jsonl`."""
    found: dict[str, float] = {}
    path = run / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        found |= {name: value for name, value in json.loads(line).items() if isinstance(value, int | float)}
    return found


def read_run(run: Path) -> dict[str, Any]:
    """A RUN's record."""
    record: dict[str, Any] = read_json(run / "run.json")
    return record
