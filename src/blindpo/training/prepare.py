"""Get the model and the examples ready: turn dropout off, encode rows, reject and count those that cannot be used."""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import torch
from transformers import TrainingArguments

from blindpo.errors import ConfigError, ModelError, NothingKeptError
from blindpo.jobs.manifest import write_text
from blindpo.jobs.shards import Reject
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.padding import set_image_padding
from blindpo.models.vlm.source import ModelSource
from blindpo.rows.overlap import num_trained_on, row_key
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example, ImageTensors, Sets, make_examples
from blindpo.training.launch import whole_weights
from blindpo.training.methods import METHODS, left_without_blind
from blindpo.training.micro_batches import padded_tokens, size_of

DROPOUTS: Final = ("dropout", "attention_dropout", "activation_dropout", "hidden_dropout")


def require_base(config: TrainConfig, model: ModelSource) -> None:
    """Raises ModelError if an adapter would be put on an adapter."""
    if model.adapter is not None and config.lora:
        raise ModelError(f"--model {model.given} is an adapter; another one on top would have no base: leave lora out")


def start_model(vlm: Vlm | None, source: ModelSource, config: TrainConfig, settings: TrainingArguments) -> Vlm:
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
        all_rows = list(make_examples(read_rows(path), images, use_blind=use_blind, max_length=max_length, stage=stage))
        sets[stage] = [each for each in all_rows if isinstance(each, Example)]
        dropped = [each for each in all_rows if isinstance(each, Reject)]
        counts[f"{prefix_of(stage)}read"] = len(all_rows)
        rejects += dropped
        _require_any(sets[stage], dropped, path, stage)
    return sets, rejects, counts


def prefix_of(stage: str) -> str:
    """Prefix of the names of a set's counts."""
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


def row_counts(sets: Sets, rejects: Sequence[Reject], counts: dict[str, int]) -> dict[str, int]:
    """Rows read, kept, rejected and without a blind response, of each set; evaluation rows that are trained on."""
    of_sets: dict[str, int] = {}
    for stage, kept in sets.items():
        prefix = prefix_of(stage)
        of_sets |= {
            f"{prefix}read": counts[f"{prefix}read"],
            f"{prefix}kept": len(kept),
            f"{prefix}rejected": sum(reject.stage == stage for reject in rejects),
            f"{prefix}without_blind": sum(not example.row.blind for example in kept),
        }
    if "eval" in sets:
        trained = {row_key(example.row) for example in sets["train"]}
        of_sets["eval_training_rows"] = num_trained_on((example.row for example in sets["eval"]), trained)
    return of_sets


def require_blind(config: TrainConfig, data: Path, rows: Iterable[PreferenceRow]) -> None:
    """Raises ConfigError if the method needs blind responses and `rows` of `data` have none: BPO would train DPO."""
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
    """A warning about training rows without the blind responses that the method uses; empty if each has one."""
    without = counts["without_blind"] if METHODS[config.method].uses_blind else 0
    if not without:
        return ""
    name, rest = config.method.upper(), left_without_blind(config.method).upper()
    return (
        f"{without} of {counts['kept']} rows have no blind response: under {name} they train as pairs alone, as in "
        f"{rest}"
    )


def write_rejects(out: Path, rejects: Sequence[Reject]) -> None:
    """Write the rejected rows with their reasons to rejects.jsonl."""
    write_text(out / "rejects.jsonl", "".join(json.dumps(asdict(each)) + "\n" for each in rejects))
