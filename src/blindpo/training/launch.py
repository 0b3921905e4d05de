"""Compare the engine that was asked for with the one that runs: less than was asked for is an error, not a surprise.

Known cases: `accelerate launch --cpu --num_processes 2` starts one process; FSDP and DeepSpeed asked for on a CPU
become plain DDP or nothing; a precision in accelerate's configuration that the recipe does not know of changes the
training pass and not the reference's. A launcher's wishes are in the environment; the accelerator knows what runs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from blindpo.errors import ConfigError

MIXED: Final = ("bf16", "fp16")
REFUSED: Final = {
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "tensor or context parallelism (parallelism_config)",
}
PROCESSES: Final = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""Variables in which launchers say how many processes they started."""
LAUNCH: Final = "docs/scale.md says how to launch"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainEngine:
    """How the gradient of a step is computed: on how many processes, and which parts of the model each holds."""

    name: str
    """single, ddp, fsdp1, fsdp2, zero1, zero2 or zero3."""
    processes: int
    device: str
    """cpu, cuda, ..."""

    @property
    def shards_weights(self) -> bool:
        """Whether a process holds only a part of the weights."""
        return self.name in ("fsdp1", "fsdp2", "zero3")

    @property
    def shards_optimizer(self) -> bool:
        """Whether a process holds only a part of the optimizer's state."""
        return self.shards_weights or self.name in ("zero1", "zero2")

    @property
    def shards_gradients(self) -> bool:
        """Whether a process holds only a part of the gradients."""
        return self.shards_weights or self.name == "zero2"

    def __str__(self) -> str:
        many = f"{self.processes} processes" if self.processes > 1 else "1 process"
        return f"{self.name} on {many} ({self.device})"


def require_processes(environ: Mapping[str, str], world_size: int) -> None:
    """Raises ConfigError where a launcher started more processes than the `world_size` that work together."""
    for name in PROCESSES:
        number = environ.get(name, "")
        if number.isdigit() and int(number) > world_size:
            raise ConfigError(
                f"{name} says {number} processes, and {world_size} works alone: they would all train the same and "
                f"write over each other. Start them with torchrun; {LAUNCH}."
            )
    by_accelerate = "ACCELERATE_MIXED_PRECISION" in environ
    if by_accelerate and world_size == 1 and "MASTER_ADDR" in environ and "WORLD_SIZE" not in environ:
        # its simple launcher sets the address for more than one process, and starts one
        raise ConfigError(
            "accelerate was asked for several processes and started one (it does so for --cpu, and where it finds one "
            f"device). Use: torchrun --nproc_per_node N -m blindpo train ... ; {LAUNCH}."
        )


def require_options(environ: Mapping[str, str], settings: Any) -> None:
    """Raises ConfigError where accelerate's configuration asks for what the run's own `settings` do not have."""
    for name, what in REFUSED.items():
        if _is_true(environ.get(name)):
            raise ConfigError(f"accelerate asks for {what}, which blindpo does not train with; {LAUNCH}")
    mixed = environ.get("ACCELERATE_MIXED_PRECISION", "no").lower()
    own = next((name for name in MIXED if getattr(settings, name)), "no")
    if mixed not in ("no", own):
        hint = f"set {mixed}=true in the recipe" if mixed in MIXED else "leave it out"
        raise ConfigError(
            f"accelerate asks for mixed_precision {mixed}, the recipe for {own}: the reference would be computed in "
            f"another precision than the steps; {hint}"
        )
    if environ.get("ACCELERATE_DYNAMO_BACKEND", "no").lower() != "no" and not settings.torch_compile:
        raise ConfigError("accelerate asks for torch.compile, the recipe does not; set torch_compile=true, or leave it")
    accumulation = environ.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1")
    if accumulation not in ("1", "auto", "None", str(settings.gradient_accumulation_steps)):
        raise ConfigError(
            f"accelerate asks for {accumulation} accumulation steps, the recipe for "
            f"{settings.gradient_accumulation_steps}; set gradient_accumulation_steps in the recipe alone"
        )


@contextmanager
def whole_weights() -> Iterator[None]:
    """Load models inside with all their weights on every process, even under ZeRO-3.

    There transformers splits weights while it loads them, whatever zero3_init_flag says; but the reference and the
    check of packing need them whole. DeepSpeed splits them when the trainer prepares the model.
    """
    from transformers.integrations import deepspeed

    held = deepspeed._hf_deepspeed_config_weak_ref
    deepspeed.unset_hf_deepspeed_config()
    try:
        yield
    finally:
        config = None if held is None else held()
        if config is not None:
            deepspeed.set_hf_deepspeed_config(config)


def running(accelerator: Any) -> TrainEngine:
    """The engine that `accelerator` runs."""
    kind = str(getattr(accelerator.distributed_type, "value", accelerator.distributed_type))
    if kind == "DEEPSPEED":
        name = f"zero{accelerator.state.deepspeed_plugin.zero_stage}"
    elif kind == "FSDP":
        name = f"fsdp{accelerator.state.fsdp_plugin.fsdp_version}"
    else:
        name = "single" if accelerator.num_processes == 1 else "ddp"
    return TrainEngine(name=name, processes=accelerator.num_processes, device=accelerator.device.type)


def require_engine(environ: Mapping[str, str], settings: Any, engine: TrainEngine) -> None:
    """Raises ConfigError where FSDP or DeepSpeed was asked for, by accelerate or by the recipe, and does not run."""
    fsdp = _is_true(environ.get("ACCELERATE_USE_FSDP")) or bool(settings.fsdp)
    deepspeed = _is_true(environ.get("ACCELERATE_USE_DEEPSPEED")) or bool(settings.deepspeed)
    for wanted, what, prefix in ((fsdp, "FSDP", "fsdp"), (deepspeed, "DeepSpeed", "zero")):
        if wanted and not engine.name.startswith(prefix):
            raise ConfigError(
                f"{what} was asked for and {engine} would run (accelerate drops {what} on this device or on one "
                f"process without a word). Leave {what} out, or launch on devices that it knows; {LAUNCH}."
            )
    version = environ.get("FSDP_VERSION", "")
    if fsdp and version.isdigit() and engine.name != f"fsdp{version}":
        raise ConfigError(f"FSDP version {version} was asked for and {engine.name} would run; {LAUNCH}")
    stage = environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "")
    if deepspeed and stage.isdigit() and engine.name != f"zero{stage}":
        raise ConfigError(f"ZeRO stage {stage} was asked for and {engine.name} would run; {LAUNCH}")


def _is_true(word: str | None) -> bool:
    return (word or "").lower() in ("true", "1", "yes")
