"""`transformers.TrainingArguments` by its own names: checked, typed, and those that the trainer fixes refused."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from blindpo.errors import ConfigError
from blindpo.runs.config import convert, unknown_key
from blindpo.train.config import FIXED, TrainConfig

DEFAULTS: dict[str, Any] = {"save_total_limit": 2, "logging_steps": 10, "report_to": "none"}
"""Where ours differ from transformers': two checkpoints are kept, nothing is reported to a service unasked."""


def argument_names() -> dict[str, Any]:
    """Every option of TrainingArguments with its default."""
    return {field.name: field.default for field in fields(TrainingArguments) if field.init}


def split_keys(values: Mapping[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keys of TrainConfig, and keys of TrainingArguments. Raises ConfigError for a fixed or unknown one."""
    ours = {field.name for field in fields(TrainConfig)}
    theirs = argument_names()
    for key in values:
        if key in FIXED:
            raise ConfigError(f"{where}: '{key}' is fixed by the trainer: {FIXED[key]}")
        if key not in ours and key not in theirs:
            raise unknown_key(key, {*ours, *theirs} - set(FIXED), where)
    return {k: v for k, v in values.items() if k in ours}, {k: v for k, v in values.items() if k not in ours}


def training_arguments(values: Mapping[str, Any], out: Path) -> TrainingArguments:
    """The arguments of one run. Raises ConfigError with transformers' own reason."""
    defaults = argument_names()
    typed = {key: _typed(value, defaults[key], key) for key, value in {**DEFAULTS, **values}.items()}
    limit = typed["save_total_limit"]
    if limit is not None and limit < 2:
        raise ConfigError("save_total_limit must be at least 2: while one checkpoint is written, another must be whole")
    try:
        return TrainingArguments(output_dir=str(out), remove_unused_columns=False, **typed)
    except (ValueError, TypeError, ImportError) as error:
        raise ConfigError(f"TrainingArguments: {' '.join(str(error).split())[:300]}") from error


def _typed(value: Any, default: Any, key: str) -> Any:
    """`value` in the type of the option's default; YAML reads 1e-6 as text."""
    if type(default) in (bool, int, float) and value is not None:
        return convert(value, type(default), key)
    if isinstance(value, str):
        try:
            return int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            return value
    return value
