"""Keys of training: ours checked at construction, transformers' by their own names, fixed ones refused with reasons."""

from dataclasses import fields
from pathlib import Path

import pytest

from blindpo.errors import ConfigError
from blindpo.jobs.recipe import load_config
from blindpo.training.arguments import FIXED, arguments, make_arguments, split_keys, typed_options
from blindpo.training.config import TrainConfig


def test_the_names_read_from_the_source_are_those_of_transformers() -> None:
    from transformers import TrainingArguments

    assert set(arguments()) == {field.name for field in fields(TrainingArguments)}
    assert set(FIXED) <= set(arguments())
    assert arguments()["bf16"].is_boolean and not arguments()["learning_rate"].is_boolean
    assert all(argument.meaning for argument in arguments().values())
    assert arguments()["learning_rate"].default == "1e-06"  # blindpo's own, not transformers'
    assert (arguments()["max_steps"].default, arguments()["bf16"].default) == ("-1", "false")


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("output_dir", "--out"),
        ("remove_unused_columns", "collator"),
        ("hub_strategy", "uploaded once"),
        ("hub_token", "HF_TOKEN"),
    ],
)
def test_a_fixed_option_is_refused_with_the_reason(key: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"'{key}' is fixed.*{words}"):
        split_keys({key: "x"}, where="--set")


def test_an_unknown_key_names_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"lerning_rate.*Did you mean 'learning_rate'"):
        split_keys({"lerning_rate": 1}, where="--set")
    with pytest.raises(ConfigError, match="Did you mean 'lora_alpha'"):
        split_keys({"lora_alfa": 1}, where="--set")


def test_keys_are_split_by_their_owner() -> None:
    assert split_keys({"beta": 0.2, "bf16": True}, where="x") == ({"beta": 0.2}, {"bf16": True})


def test_text_values_are_brought_to_their_type(tmp_path: Path) -> None:
    made = make_arguments({"learning_rate": "1e-6", "bf16": "false", "max_steps": "3"}, tmp_path, has_eval=False)
    assert (made.learning_rate, made.bf16, made.max_steps) == (1e-6, False, 3)
    assert made.lr_scheduler_type == "cosine" and not made.remove_unused_columns


@pytest.mark.parametrize(
    ("key", "spellings", "value"),
    [
        ("max_steps", ("2", 2), 2),
        ("num_train_epochs", ("1", 1), 1),
        ("learning_rate", ("1e-6", "0.000001", 1e-6), 1e-6),
        ("bf16", ("true", True), True),
        ("save_strategy", ("no", False), "no"),
        ("lr_scheduler_kwargs", ("{num_cycles: 2}", {"num_cycles": 2}), {"num_cycles": 2}),
    ],
)
def test_a_value_has_one_form_however_it_is_spelled(key: str, spellings: tuple[object, ...], value: object) -> None:
    for spelling in spellings:
        typed = typed_options({key: spelling})[key]
        assert (typed, type(typed)) == (value, type(value))


@pytest.mark.parametrize(
    "given",
    [{"learning_rate": "fast"}, {"lr_scheduler_type": "round"}, {"eval_steps": 5}, {"nonsense": 1},
     {"fp16": 1, "bf16": 1},
     {"train_sampling_strategy": "group_by_length"}],
)  # fmt: skip
def test_a_wrong_value_or_one_without_effect_is_a_config_error(given: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        make_arguments(given, tmp_path, has_eval=False)


def test_evaluation_rows_are_evaluated_by_epoch_unless_said_otherwise(tmp_path: Path) -> None:
    assert make_arguments({}, tmp_path, has_eval=True).eval_strategy == "epoch"
    assert make_arguments({"eval_strategy": "no"}, tmp_path, has_eval=True).eval_strategy == "no"


@pytest.mark.parametrize(
    "given",
    [{"beta": 0}, {"max_length": 0}, {"lora": True, "lora_r": 0}, {"lora_r": 4}, {"dtype": "bfloat16"},
     {"reference": "adapter_off"}, {"lora": True, "freeze_vision": False}, {"method": "ppo"}],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load_config(TrainConfig, given)


def test_lora_keys_are_taken_with_lora() -> None:
    config = load_config(TrainConfig, {"lora": "true", "lora_r": "4", "lora_targets": "q_proj,v_proj"})
    assert (config.lora, config.lora_r, config.lora_targets) == (True, 4, ("q_proj", "v_proj"))
