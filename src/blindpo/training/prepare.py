"""What a training run needs before its first step: the model without dropout, examples, and their references."""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
import transformers

from blindpo.errors import ConfigError, ModelError, NothingKeptError
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import write_text
from blindpo.jobs.shards import Reject
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.padding import set_image_padding
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.overlap import num_trained_on, row_key
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows
from blindpo.training.collator import Collator, Part
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example, ImageTensors, make_examples
from blindpo.training.launch import whole_weights
from blindpo.training.methods import METHODS, left_without_blind
from blindpo.training.micro_batches import padded_tokens, size_of
from blindpo.training.mismatch import ImageTokensError
from blindpo.training.packing.check import HALF_NATS, TOLERANCE_NATS
from blindpo.training.precision import autocast_dtype, reference_precision, weights_dtype
from blindpo.training.reference import ReferenceCache, References

DROPOUTS: Final = ("dropout", "attention_dropout", "activation_dropout", "hidden_dropout")

Sets = dict[str, list[Example]]
"""Examples by "train" and "eval"."""


def require_base(config: TrainConfig, model: ModelSource) -> None:
    """Raises ModelError for an adapter on top of an adapter."""
    if model.adapter is not None and config.lora:
        raise ModelError(f"--model {model.given} is an adapter; another one on top would have no base: leave lora out")


def start_model(vlm: Vlm | None, source: ModelSource, config: TrainConfig, settings: Any) -> Vlm:
    """The model to train, in evaluation mode and without dropout: log-probabilities must not depend on chance."""
    if vlm is None:
        with whole_weights():
            vlm = load_vlm(
                source, dtype=config.dtype, device=str(settings.device),
                image_padding=config.image_padding, load_in_4bit=config.load_in_4bit,
            )  # fmt: skip
    else:
        processor, name = vlm.processor, vlm.fingerprint
        if config.image_padding != "as_saved":
            processor, name = copy.deepcopy(processor), f"{name} {config.image_padding}"
            set_image_padding(processor, config.image_padding)
        vlm = Vlm(copy.deepcopy(vlm.model), processor, vlm.source, name)
    model = vlm.model.merge_and_unload() if source.adapter is not None else vlm.model
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        for name in DROPOUTS:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    placed = model if config.load_in_4bit else model.to(settings.device)  # quantized weights cannot be moved
    return Vlm(placed.eval(), vlm.processor, vlm.source, vlm.fingerprint)


def load_examples(
    config: TrainConfig, images: ImageTensors, start: Vlm, *, data: Path, eval_data: Path | None
) -> tuple[Sets, list[Reject], dict[str, int]]:
    """Examples by "train" and "eval", the rejected rows, and how many rows were read and had no blind response."""
    positions = getattr(start.model.config.get_text_config(), "max_position_embeddings", None)
    limits = [limit for limit in (config.max_length, positions) if limit is not None]
    use_blind, max_length = METHODS[config.method].uses_blind, min(limits, default=None)
    sets: Sets = {}
    rejects: list[Reject] = []
    counts: dict[str, int] = {}
    for stage, path in (("train", data), ("eval", eval_data)):
        if path is None:
            continue
        made = list(make_examples(read_rows(path), images, use_blind=use_blind, max_length=max_length, stage=stage))
        sets[stage] = [each for each in made if isinstance(each, Example)]
        dropped = [each for each in made if isinstance(each, Reject)]
        counts[f"{prefix_of(stage)}read"] = len(made)
        rejects += dropped
        _require_any(sets[stage], dropped, path, stage)
    return sets, rejects, counts


def prefix_of(stage: str) -> str:
    """Before the names of what is counted."""
    return "eval_" if stage == "eval" else ""


def within_budget(
    sets: Sets, config: TrainConfig, *, packed: bool, paths: Mapping[str, Path | None]
) -> tuple[Sets, list[Reject]]:
    """Sets without the rows that alone are longer than `tokens_per_batch`, and those rows with the reason; `paths` say
    by the set's name where it is from."""
    limit = config.tokens_per_batch
    if limit is None:
        return sets, []
    kept: Sets = {}
    rejects: list[Reject] = []
    for stage, examples in sets.items():
        needed = [padded_tokens([size_of(example, packed=packed)]) for example in examples]
        kept[stage] = [example for example, tokens in zip(examples, needed, strict=True) if tokens <= limit]
        dropped = [
            Reject(
                row_id=example.row.row_id, field="prompt", reason=_forecast(example, tokens, limit, packed), stage=stage
            )
            for example, tokens in zip(examples, needed, strict=True)
            if tokens > limit
        ]
        rejects += dropped
        _require_any(kept[stage], dropped, paths[stage], stage)
    return kept, rejects


def _forecast(example: Example, tokens: int, limit: int, packed: bool) -> str:
    responses = " + ".join(str(len(response)) for response in example.responses)
    how = "packed" if packed else "as separate sequences"
    return (
        f"{tokens} tokens {how} (prompt and images {len(example.prompt.input_ids)}, responses {responses}); "
        f"tokens_per_batch allows {limit}"
    )


def _require_any(kept: Sequence[Example], dropped: Sequence[Reject], path: Path | None, stage: str) -> None:
    if not kept:
        reason = dropped[0].reason if dropped else "there is none"
        raise NothingKeptError(f"no row of {path} can be used to {stage}; the first reason: {reason}")


def count_rows(sets: Sets, rejects: Sequence[Reject], counts: dict[str, int]) -> dict[str, int]:
    """Rows read, kept, rejected and without a blind response, of each set; evaluation rows that are trained on."""
    found: dict[str, int] = {}
    for stage, kept in sets.items():
        prefix = prefix_of(stage)
        found |= {
            f"{prefix}read": counts[f"{prefix}read"],
            f"{prefix}kept": len(kept),
            f"{prefix}rejected": sum(reject.stage == stage for reject in rejects),
            f"{prefix}without_blind": sum(not example.row.blind for example in kept),
        }
    if "eval" in sets:
        trained = {row_key(example.row) for example in sets["train"]}
        found["eval_training_rows"] = num_trained_on((example.row for example in sets["eval"]), trained)
    return found


def require_blind(config: TrainConfig, data: Path, rows: Iterable[PreferenceRow]) -> None:
    """Raises ConfigError for a method with blind responses on `rows` of `data` without any: BPO would train DPO."""
    if not METHODS[config.method].uses_blind:
        return
    without = 0
    for row in rows:
        if row.blind:
            return
        without += 1
    if without:
        rest = left_without_blind(config.method)
        raise ConfigError(
            f"method {config.method} needs blind responses, and none of the {without} rows of {data} that it could "
            f"train on has one; run 'blindpo blind' on the rows first, or use --method {rest}"
        )


def without_blind_words(config: TrainConfig, counts: Mapping[str, int]) -> str:
    """A warning of training rows that lack the blind responses of the method; empty where each has one."""
    without = counts["without_blind"] if METHODS[config.method].uses_blind else 0
    if not without:
        return ""
    name, rest = config.method.upper(), left_without_blind(config.method).upper()
    return (
        f"{without} of {counts['kept']} rows have no blind response: under {name} they train as pairs alone, as in "
        f"{rest}"
    )


def write_rejects(out: Path, rejects: Sequence[Reject]) -> None:
    """The rejected rows with their reasons, in rejects.jsonl."""
    write_text(out / "rejects.jsonl", "".join(json.dumps(asdict(each)) + "\n" for each in rejects))


def with_references(
    sets: Sets, start: Vlm, collator: Collator, *, config: TrainConfig, settings: Any, folder: OutFolder
) -> Sets:
    """The examples with what the reference, which is the model before training, gives to each response."""

    def score(parts: Sequence[Part]) -> list[float]:
        found: list[float] = []
        for together in _within(parts, config.tokens_per_batch, collator):
            try:
                found += logps(together)
            except ImageTokensError:
                for part in together:
                    logps([part])  # alone, so that the error names one row
                raise
        return found

    def logps(together: Sequence[Part]) -> list[float]:
        with torch.no_grad():
            values: list[float] = collator.logps(start.model, collator.scored(together)).tolist()
        return values

    cast = weights_dtype(settings)
    half = autocast_dtype(settings) if cast is None else None
    dtype = start.model.dtype if cast is None else cast
    identity = {
        "model": start.fingerprint, "dtype": str(dtype), "autocast": str(half),
        "device": settings.device.type, "torch": torch.__version__, "transformers": transformers.__version__,
        "sequences": "separate" if collator.family is None else "packed",
        "attention": str(start.model.config.get_text_config()._attn_implementation),
    }  # fmt: skip
    shared = config.reference_cache
    exact = half is None and dtype in (torch.float32, torch.float64)
    references = References(
        own=ReferenceCache(folder=folder.work / "reference", identity=identity),
        shared=None if shared is None else ReferenceCache(folder=Path(shared), identity=identity),
        score=score,
        rows_together=settings.per_device_eval_batch_size,
        tolerance_nats=TOLERANCE_NATS if exact else HALF_NATS,
        process=settings.process_index,
        num_processes=settings.world_size,
        wait=settings.distributed_state.wait_for_everyone,
    )
    with reference_precision(start.model, settings):
        return references.of(sets, quiet=bool(settings.disable_tqdm))


def _within(parts: Sequence[Part], limit: int | None, collator: Collator) -> list[list[Part]]:
    """`parts` in their order, cut so that no piece exceeds the budget."""
    made: list[list[Part]] = []
    for part in parts:
        longer = [*made[-1], part] if made else [part]
        sizes = [size_of(example, packed=collator.family is not None) for example, _ in longer]
        if made and (limit is None or padded_tokens(sizes) <= limit):
            made[-1] = longer
        else:
            made.append([part])
    return made
