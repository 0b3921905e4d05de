"""blindpo's own options of training: what is trained and against which reference.

How it is trained (steps, rates, batches) is up to `transformers.TrainingArguments`. No torch here: a recipe is checked
before anything heavy is imported.
"""

from dataclasses import dataclass, fields
from typing import Final, Literal

from blindpo.jobs.settings import option
from blindpo.training.methods import METHODS

PROBE_ROWS: Final = 8
LORA_ONLY: Final = ("lora_r", "lora_alpha", "lora_targets")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The keys of a training recipe that are blindpo's own."""

    method: str = option(next(iter(METHODS)), choices=tuple(METHODS))
    """What is minimised. docs/training.md says what each method is."""
    beta: float = 0.1
    """The weight of the log-ratio in the reward, above 0. A larger one keeps the model nearer to its reference."""
    lora: bool = False
    """Train an adapter on the language model instead of the weights themselves."""
    lora_r: int = 16
    """The rank of the adapter, 1 or more."""
    lora_alpha: float = 32.0
    """The adapter's output is scaled by lora_alpha / lora_r."""
    lora_targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """The last names of the linear layers that get an adapter. Layers inside a vision tower never get one."""
    freeze_vision: bool = True
    """Keep the vision tower as it is, as in the paper. Without lora the projector is trained nevertheless, even where
    it is inside the tower (the Qwen-VL family's merger)."""
    max_length: int | None = None
    """The most tokens of a row's prompt, image included, and its longest response together. A longer row is rejected,
    never cut. Without it, the limit is the number of positions that the model has."""
    packing: Literal["auto", "on", "off"] = "auto"
    """auto: the responses of a row share one computation of its prompt if a check at the start shows that this model
    gives the same log-probabilities that way, and are separate sequences if not. on: an error where the check fails.
    off: always separate sequences."""
    tokens_per_batch: int | None = None
    """The most tokens, padding included, that go through the model at once. The rows of an update (batch size times
    accumulation times processes) are cut into as many micro-batches as that takes, and the loss stays their mean. On
    several processes, a row without images in data with images may exceed it by the row that goes along. Without it,
    per_device_train_batch_size alone counts."""
    reference: Literal["cached", "adapter_off", "online"] = "cached"
    """Where the reference's log-probabilities come from. cached: they are computed once, before the first step.
    adapter_off: at each step, by the model with its adapter off (needs lora). online: at each step, by a second copy
    of the model in memory."""
    reference_cache: str | None = None
    """A folder of cached reference log-probabilities that several runs share. Without it, each run has its own."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """The type of the weights in memory. bfloat16 needs lora: a weight in bfloat16 does not move at a learning rate of
    1e-6. To compute in bfloat16 over float32 weights, set bf16."""
    load_in_4bit: bool = False
    """Keep the base weights in 4 bits under the adapter (QLoRA). It needs lora, CUDA and bitsandbytes."""
    image_padding: Literal["as_saved", "none", "square"] = "as_saved"
    """How images are padded. square: to a square in the processor's mean colour, as in the paper, and the processor is
    saved that way; none: not at all; as_saved: as the model's processor says."""
    probe_steps: int = 0
    """After every so many steps, a few fixed rows are scored and answered with their image, without it and with another
    one. 0 means never."""
    probe_rows: int = PROBE_ROWS
    """How many rows are scored and answered then, 1 or more."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is '{self.method}'; allowed: {', '.join(METHODS)}")
        if not self.beta > 0:
            raise ValueError(f"beta is {self.beta}; it must be above 0")
        if self.max_length is not None and self.max_length < 1:
            raise ValueError(f"max_length is {self.max_length}; it must be at least 1 token")
        if self.tokens_per_batch is not None and self.tokens_per_batch < 1:
            raise ValueError(f"tokens_per_batch is {self.tokens_per_batch}; it must be at least 1 token")
        if self.reference != "cached" and self.reference_cache is not None:
            raise ValueError(f"reference_cache has no effect with reference={self.reference}; leave it out")
        if self.probe_steps < 0 or self.probe_rows < 1:
            raise ValueError("probe_steps must be 0 (never) or more, probe_rows 1 or more")
        if self.probe_steps == 0 and self.probe_rows != PROBE_ROWS:
            raise ValueError("probe_rows has no effect without probe_steps; set it or leave it out")
        if self.lora_r < 1:
            raise ValueError(f"lora_r is {self.lora_r}; it must be at least 1")
        if self.lora:
            if not self.freeze_vision:
                raise ValueError("freeze_vision=false has no effect with lora: the adapter is on the language model")
            return
        defaults = {field.name: field.default for field in fields(self)}
        for name in LORA_ONLY:
            if getattr(self, name) != defaults[name]:
                raise ValueError(f"{name} has no effect without lora; add lora=true or leave it out")
        if self.load_in_4bit:
            raise ValueError("load_in_4bit needs lora=true: weights in 4 bits cannot be trained themselves")
        if self.reference == "adapter_off":
            raise ValueError("reference=adapter_off needs lora=true; without an adapter the reference is 'cached'")
        if self.dtype != "float32":
            raise ValueError(
                "dtype=bfloat16 needs lora=true: bfloat16 weights do not move at small learning rates; set bf16=true"
            )
