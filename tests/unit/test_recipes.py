"""Every recipe loads; every key of it is read and changes what runs; launch files are what accelerate reads."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from blindpo.cli.main import main
from blindpo.errors import BlindpoError
from blindpo.jobs.recipe import load_config, read_recipe
from blindpo.training.arguments import make_arguments, split_keys
from blindpo.training.config import TrainConfig

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
OWN = {field.name for field in fields(TrainConfig)}


def training_recipes() -> list[Path]:
    """Those that name a method of training."""
    return [path for path in sorted(RECIPES.glob("*.yaml")) if "method" in yaml.safe_load(path.read_text())]


def resolved(values: dict[str, Any], out: Path) -> dict[str, Any]:
    """All options that a run would have, ours and transformers'."""
    own, theirs = split_keys(values, where="recipe")
    config = load_config(TrainConfig, own)
    # without a GPU transformers refuses bf16, unless it is told to run on the CPU
    settings = make_arguments({**theirs, "use_cpu": True}, out, has_eval="per_device_eval_batch_size" in theirs)
    return {**settings.to_dict(), **asdict(config)}


def changed(value: Any, key: str) -> Any:
    """Another value that the key takes."""
    words = {
        "method": "dpo", "lr_scheduler_type": "linear", "optim": "sgd", "save_strategy": "epoch",
        "image_padding": "none", "dtype": "float32",
    }  # fmt: skip
    if key in words:
        return words[key]
    return not value if isinstance(value, bool) else value + 1


@pytest.mark.parametrize("path", training_recipes(), ids=lambda path: path.stem)
def test_a_recipe_loads_and_each_key_has_an_effect(path: Path, tmp_path: Path) -> None:
    recipe = read_recipe(path)
    whole = resolved(recipe, tmp_path)
    for key, value in recipe.items():
        assert key in whole
        try:
            other = resolved({**recipe, key: changed(value, key)}, tmp_path)
        except BlindpoError as error:  # a key whose change is refused is read
            assert key in str(error) or key in ("lora", "dtype"), f"{key}: {error}"
            continue
        assert other[key] != whole[key], key


def test_the_papers_recipe_is_the_papers() -> None:
    found = read_recipe(RECIPES / "bpo_llava15_7b.yaml")
    launch = yaml.safe_load((RECIPES / "launch/zero2.yaml").read_text())
    rows = found["per_device_train_batch_size"] * launch["num_processes"] * found["gradient_accumulation_steps"]
    assert rows == 4  # triples: 8 pair rows
    wanted = {
        "method": "bpo", "beta": 0.1, "learning_rate": 1e-6, "weight_decay": 0.0, "lr_scheduler_type": "cosine",
        "warmup_steps": 10, "num_train_epochs": 1, "bf16": True, "max_grad_norm": 1.0, "max_length": 768,
        "image_padding": "square", "freeze_vision": True, "seed": 42,
    }  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    assert launch["deepspeed_config"]["zero_stage"] == 2 and launch["mixed_precision"] == "bf16"


@pytest.mark.parametrize("path", sorted((RECIPES / "launch").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_launch_file_is_read_by_accelerate_key_by_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    given = yaml.safe_load(path.read_text())
    loaded = load_config_from_file(str(path))  # raises for a key that it does not know
    known = {action.dest for action in launch_command_parser()._actions}
    for section, prefix in (("fsdp_config", "fsdp_"), ("deepspeed_config", "")):
        for key, value in given.get(section, {}).items():
            assert getattr(loaded, section)[key] == value
            name = key if key.startswith(prefix) else f"{prefix}{key}"
            assert name in known, f"{path.name}: accelerate launch has no {name}"


def test_zero_launch_files_make_a_deepspeed_plugin_of_their_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import DeepSpeedPlugin

    monkeypatch.setattr("accelerate.utils.dataclasses.DeepSpeedPlugin._deepspeed_config_checks", lambda self: None)
    for stage in (2, 3):
        given = yaml.safe_load((RECIPES / f"launch/zero{stage}.yaml").read_text())["deepspeed_config"]
        # what `accelerate launch` puts into the environment of each process
        monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", str(given["zero_stage"]))
        monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", str(given["gradient_accumulation_steps"]))
        monkeypatch.setenv("ACCELERATE_GRADIENT_CLIPPING", str(given["gradient_clipping"]))
        plugin = DeepSpeedPlugin()
        config = plugin.deepspeed_config
        assert config["zero_optimization"]["stage"] == stage
        assert config["gradient_accumulation_steps"] == "auto" or plugin.gradient_accumulation_steps == "auto"
        assert config["gradient_clipping"] == "auto" or plugin.gradient_clipping == "auto"


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is missing where there is no GPU")
@pytest.mark.parametrize(
    ("name", "said"), [("llava15_7b", "bf16 needs a GPU"), ("qwen25vl_7b_qlora", "no CUDA device")]
)
def test_a_recipe_that_needs_a_gpu_says_so_without_one(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "d", "--model", "m", "--out", "o", "--recipe", str(RECIPES / f"bpo_{name}.yaml")]) == 2
    assert said in capsys.readouterr().err
