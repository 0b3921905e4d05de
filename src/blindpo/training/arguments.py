"""Offer the options of `transformers.TrainingArguments` under their own names, and refuse those that the trainer fixes.

Names are read from the installed transformers' source, not from a list of ours, and without importing it: that takes
seconds, and `blindpo train --help` needs the names alone.
"""

import ast
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import yaml

from blindpo.errors import ConfigError
from blindpo.jobs.recipe import convert, unknown_key
from blindpo.training.config import TrainConfig
from blindpo.training.output.upload import UPLOAD_KEYS, asked_upload

_RESUME: Final = "the same command goes on by itself from the last whole checkpoint, exactly"
_HUB: Final = "with push_to_hub the finished RUN is uploaded once, after training"
_PREDICTIONS: Final = "evaluation gathers rewards, no predictions"
_COMMAND: Final = "'blindpo train' trains, and evaluates with --eval"
_TEXT: Final = "the loss is a mean over rows, not over labels or tokens"
FIXED: Final[dict[str, str]] = {
    "output_dir": "--out is the output folder",
    "remove_unused_columns": "batches are made by blindpo's own collator",
    "label_names": _TEXT,
    "label_smoothing_factor": _TEXT,
    "average_tokens_across_devices": _TEXT,
    "include_num_input_tokens_seen": _TEXT,
    "length_column_name": "rows have no length column",
    "accelerator_config": "batches are planned and dealt out to processes by blindpo itself",
    "neftune_noise_alpha": "noise would set the model apart from its reference",
    "use_cache": "training has no use for a key-value cache",
    "auto_find_batch_size": "a batch size found by failing cannot be resumed exactly; use gradient_accumulation_steps",
    "resume_from_checkpoint": _RESUME,
    "save_only_model": _RESUME,
    "ignore_data_skip": _RESUME,
    "restore_callback_states_from_checkpoint": _RESUME,
    "do_train": _COMMAND,
    "do_eval": _COMMAND,
    "do_predict": _COMMAND,
    "bf16_full_eval": "evaluation rewards are computed as training computes them",
    "fp16_full_eval": "evaluation rewards are computed as training computes them",
    "prediction_loss_only": _PREDICTIONS,
    "include_for_metrics": _PREDICTIONS,
    "batch_eval_metrics": _PREDICTIONS,
    "eval_do_concat_batches": _PREDICTIONS,
    "eval_use_gather_object": _PREDICTIONS,
    "eval_accumulation_steps": _PREDICTIONS,
    "hub_token": "a token on the command line stays in the shell's history; use HF_TOKEN, or 'hf auth login'",
    "hub_strategy": _HUB,
    "hub_always_push": _HUB,
    "hub_revision": _HUB,
}

HIDDEN: Final = frozenset({*FIXED, "local_rank"})
"""Options that --help leaves out: the fixed ones, and the one that launchers alone give."""

DEFAULTS: Final[dict[str, Any]] = {
    "learning_rate": 1e-6,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 10,
    "num_train_epochs": 1,
    "logging_steps": 1,
    "save_total_limit": 2,
    "report_to": "none",
}
"""Where blindpo's defaults differ from transformers': the paper's recipe, metrics at every step, two checkpoints."""

WITHOUT_EFFECT: Final = ("disable_tqdm", "report_to", "log_level", "run_name", "dataloader_num_workers", *UPLOAD_KEYS)
"""Options that change no result: a finished run is the same run with others."""


class Argument(NamedTuple):
    """What transformers says of one of its options."""

    is_boolean: bool
    meaning: str
    default: str
    """As it is written in transformers' source, or blindpo's own."""


@cache
def arguments() -> dict[str, Argument]:
    """All options of the installed `TrainingArguments`, by name."""
    spec = find_spec("transformers")
    if spec is None or spec.origin is None:
        raise ConfigError("training needs transformers; install it with: pip install blindpo")
    source = (Path(spec.origin).parent / "training_args.py").read_text(encoding="utf-8")
    options: dict[str, Argument] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments":
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    name, kind = field.target.id, ast.unparse(field.annotation)
                    if not name.startswith("_") and not kind.startswith("ClassVar"):
                        options[name] = _argument(name, field)
    return options


def _argument(name: str, field: ast.AnnAssign) -> Argument:
    given = {word.arg: word.value for word in field.value.keywords} if isinstance(field.value, ast.Call) else {}
    metadata = given.get("metadata")
    meaning = ""
    if isinstance(metadata, ast.Dict):
        texts = {ast.unparse(key): value for key, value in zip(metadata.keys, metadata.values, strict=True) if key}
        meaning = str(getattr(texts.get("'help'"), "value", ""))
    written = given.get("default")
    default = "" if written is None else _literal_words(written)
    return Argument(
        is_boolean="bool" in ast.unparse(field.annotation).split(" | "),
        meaning=" ".join(meaning.replace("%%", "%").split()),
        default=str(DEFAULTS.get(name, default)),
    )


def _literal_words(written: ast.expr) -> str:
    """A default as --help shows it; empty if it is no literal."""
    try:
        value = ast.literal_eval(written)
    except ValueError:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in (None, "") else str(value)


def split_keys(values: Mapping[str, Any], *, where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split keys into those of `TrainConfig` and those of `TrainingArguments`. Raises ConfigError for other keys."""
    own = {field.name for field in fields(TrainConfig)}
    theirs = {key: value for key, value in values.items() if key not in own}
    for key in theirs:
        refuse(key, where=where)
    return {key: value for key, value in values.items() if key in own}, theirs


def refuse(key: str, *, where: str) -> None:
    """Raise ConfigError for an unknown option, and for one that is fixed, with the reason."""
    if key in FIXED:
        raise ConfigError(f"{where}: '{key}' is fixed: {FIXED[key]}. Leave it out.")
    if key not in arguments():
        own = {field.name for field in fields(TrainConfig)}
        raise unknown_key(key, own | set(arguments()) - set(FIXED), where)


def make_arguments(given: Mapping[str, Any], out: Path, *, has_eval: bool) -> Any:
    """Make and check the `TrainingArguments` of a run. Raises ConfigError that names the option."""
    for key in given:
        refuse(key, where="options")
    _check_evaluation(given, has_eval=has_eval)
    asked_upload(given)
    given = {key: value for key, value in given.items() if key not in UPLOAD_KEYS}
    from torch.cuda import is_available
    from transformers import TrainingArguments

    kinds = _kinds()
    values = {**DEFAULTS, "dataloader_pin_memory": is_available(), **given}
    if has_eval and "eval_strategy" not in given:
        values["eval_strategy"] = "epoch"
    values = {key: _typed(value, kinds[key], key) for key, value in values.items()}
    try:
        settings = TrainingArguments(
            output_dir=str(out), remove_unused_columns=False, prediction_loss_only=True, **values
        )
    except (ValueError, TypeError, KeyError, ImportError) as error:
        message = " ".join(str(error).split())
        if "bf16/gpu" in message:
            message = "bf16 needs a GPU, and there is none here; train where there is one, or add use_cpu=true (slow)"
        raise ConfigError(f"options: {message}") from error
    settings._n_gpu = min(settings.n_gpu, 1)  # DataParallel cannot split our batches; several devices: torchrun
    return settings


def typed_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return checked options with their text brought to its type: a flag, a recipe and --set describe one run.

    A number stays whole if it was written so, as YAML has it.
    """
    kinds = _kinds()
    return {
        key: value if key in UPLOAD_KEYS else _as_written(value, _typed(value, kinds[key], key))
        for key, value in given.items()
    }


def _as_written(value: Any, typed: Any) -> Any:
    whole = isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal())
    return int(typed) if isinstance(typed, float) and whole else typed


def _kinds() -> dict[str, Any]:
    """The type of each option; transformers is imported for it."""
    from transformers import TrainingArguments

    return {field.name: field.type for field in fields(TrainingArguments)}


def _check_evaluation(given: Mapping[str, Any], *, has_eval: bool) -> None:
    if given.get("train_sampling_strategy") == "group_by_length":
        raise ConfigError("options: train_sampling_strategy=group_by_length is not offered; use random or sequential")
    eval_options = {
        key: value for key, value in given.items() if key.startswith("eval_") and value not in ("no", False)
    }
    if eval_options and not has_eval:
        raise ConfigError(
            f"options: '{next(iter(eval_options))}' has no effect without --eval; name the evaluation rows"
        )


def _typed(value: Any, kind: Any, key: str) -> Any:
    """Convert one value; `no` and mappings are read as YAML has them, whether or not they came through YAML."""
    if value is False and key.endswith("_strategy"):
        return "no"
    if isinstance(value, str) and value.startswith("{") and not {str, dict}.isdisjoint(get_args(kind)):
        value = _mapping_or_text(value)
    return value if isinstance(value, list | dict) else convert(value, kind, f"options: {key}")


def _mapping_or_text(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text  # transformers refuses it in its own words
