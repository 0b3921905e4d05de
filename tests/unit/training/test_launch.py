"""Asking for an engine and getting less is an error, whoever asked."""

from types import SimpleNamespace
from typing import Any

import pytest

from blindpo.errors import ConfigError
from blindpo.training.launch import (
    TrainEngine,
    require_engine,
    require_options,
    require_processes,
    running,
    whole_weights,
)


def settings(**changes: Any) -> Any:
    plain = {"bf16": False, "fp16": False, "torch_compile": False, "gradient_accumulation_steps": 1}
    return SimpleNamespace(**{**plain, "fsdp": None, "deepspeed": None, **changes})


def accelerator(kind: str, processes: int = 2, **state: Any) -> Any:
    where = SimpleNamespace(type="cuda")
    return SimpleNamespace(distributed_type=kind, num_processes=processes, device=where, state=SimpleNamespace(**state))


SINGLE = TrainEngine(name="single", processes=1, device="cpu")
DDP = TrainEngine(name="ddp", processes=2, device="cpu")


def test_what_accelerates_simple_launcher_leaves_is_known() -> None:
    left = {"ACCELERATE_MIXED_PRECISION": "no", "ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}
    with pytest.raises(ConfigError, match="torchrun --nproc_per_node"):
        require_processes(left, 1)
    require_processes({**left, "WORLD_SIZE": "1"}, 1)  # torchrun with one process
    require_processes({"ACCELERATE_MIXED_PRECISION": "no"}, 1)  # accelerate launch --num_processes 1
    require_processes({"MASTER_ADDR": "a.cluster"}, 1)  # a cluster's own variable


@pytest.mark.parametrize("name", ["WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE"])
def test_processes_that_do_not_know_each_other_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} says 4 processes"):
        require_processes({name: "4"}, 1)
    require_processes({name: "4"}, 4)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ACCELERATE_MIXED_PRECISION": "bf16"}, "set bf16=true in the recipe"),
        ({"ACCELERATE_MIXED_PRECISION": "fp8"}, "fp8.*leave it out"),
        ({"ACCELERATE_DYNAMO_BACKEND": "INDUCTOR"}, "torch_compile=true"),
        ({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}, "4 accumulation steps"),
        ({"ACCELERATE_USE_MEGATRON_LM": "true"}, "Megatron-LM"),
        ({"ACCELERATE_USE_PARALLELISM_CONFIG": "true"}, "context parallelism"),
    ],
)
def test_an_option_of_accelerate_that_the_recipe_does_not_know_is_refused(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        require_options(environ, settings())


def test_options_that_agree_pass() -> None:
    environ = {"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_DYNAMO_BACKEND": "NO"}
    require_options({**environ, "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "2"}, settings(bf16=True,
                    gradient_accumulation_steps=2))  # fmt: skip
    require_options({"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "auto"}, settings(gradient_accumulation_steps=2))
    require_options({}, settings(bf16=True))
    with pytest.raises(ConfigError):  # the same words with one that does not agree
        require_options({**environ, "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "3"}, settings(bf16=True,
                        gradient_accumulation_steps=2))  # fmt: skip


def test_fsdp_or_deepspeed_that_becomes_something_else_is_refused() -> None:
    for environ, engine in (({"ACCELERATE_USE_FSDP": "true"}, DDP), ({"ACCELERATE_USE_DEEPSPEED": "true"}, SINGLE)):
        with pytest.raises(ConfigError, match=f"was asked for and {engine.name} on"):
            require_engine(environ, settings(), engine)
    with pytest.raises(ConfigError, match="FSDP was asked for"):
        require_engine({}, settings(fsdp=True), DDP)
    fsdp1 = TrainEngine(name="fsdp1", processes=2, device="cuda")
    with pytest.raises(ConfigError, match="FSDP version 2"):
        require_engine({"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}, settings(), fsdp1)
    with pytest.raises(ConfigError, match="ZeRO stage 3"):
        require_engine(
            {"ACCELERATE_USE_DEEPSPEED": "1", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3"}, settings(),
            TrainEngine(name="zero2", processes=2, device="cuda"),
        )  # fmt: skip
    require_engine({}, settings(), DDP)


def test_weights_are_loaded_whole_under_zero_3_and_its_configuration_is_put_back() -> None:
    from transformers.integrations import deepspeed

    class Stage3:
        def is_zero3(self) -> bool:
            return True

    config = Stage3()
    deepspeed.set_hf_deepspeed_config(config)
    try:
        assert deepspeed.is_deepspeed_zero3_enabled()
        with whole_weights():
            assert not deepspeed.is_deepspeed_zero3_enabled()
        assert deepspeed.is_deepspeed_zero3_enabled()
    finally:
        deepspeed.unset_hf_deepspeed_config()
    with whole_weights():
        assert not deepspeed.is_deepspeed_zero3_enabled()
    assert deepspeed._hf_deepspeed_config_weak_ref is None


def test_the_running_engine_is_named_with_what_it_shards() -> None:
    zero = running(accelerator("DEEPSPEED", deepspeed_plugin=SimpleNamespace(zero_stage=2)))
    fsdp = running(accelerator("FSDP", fsdp_plugin=SimpleNamespace(fsdp_version=2)))
    assert (zero.name, zero.shards_gradients, zero.shards_weights) == ("zero2", True, False)
    assert (fsdp.name, fsdp.shards_optimizer, fsdp.shards_weights) == ("fsdp2", True, True)
    assert running(accelerator("MULTI_GPU")).name == "ddp"
    assert str(running(accelerator("NO", 1))) == "single on 1 process (cuda)"
