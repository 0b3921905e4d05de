"""Estimate memory and time per device before the first step, so that a run that cannot fit fails immediately.

Weights, gradients and optimizer states are counted exactly. Activations are an estimate for a pre-norm decoder with a
gated MLP, after the accounting of arXiv 2205.05198 (section 4.1) for attention that keeps no score matrix: per layer
and token 7 h + 2 k + 4 i elements are kept for the backward pass (h hidden, k key/value width, i MLP width), with
gradient checkpointing h and one whole layer. The vision tower counts only where it trains. `trial.py` then
measures, on the longest batch, what is estimated here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from blindpo.training.launch import TrainEngine

MIB: Final = 2**20
FLOAT32_BYTES: Final = 4
STATES: Final = {"sgd": 0.0, "adafactor": 0.0, "adagrad": 1.0, "rmsprop": 1.0, "lion": 1.0}
"""Optimizers that do not keep two states of the weight's size, by the beginning of their `optim` name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a model that matter for memory."""

    weight_bytes: int
    trainable_bytes: int
    """Bytes of the weights that train, in their own precision."""
    layers: int
    hidden: int
    kv_width: int
    mlp_width: int
    vocabulary: int
    checkpointing: bool
    activation_bytes: int
    """Bytes of one activation: 2 under bf16 or fp16, else 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """Bytes on one device."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """The sum of all four."""
        return self.weights + self.gradients + self.optimizer + self.activations

    def to_mib(self) -> dict[str, float]:
        """The parts and their total by name, in MiB."""
        parts = {"weights": self.weights, "gradients": self.gradients, "optimizer": self.optimizer}
        return {
            name: size / MIB for name, size in {**parts, "activations": self.activations, "total": self.total}.items()
        }


def states_of(optim: str) -> float:
    """The number of float32 values that the optimizer keeps per trained weight."""
    if "8bit" in optim:
        return 0.5  # two states of one byte
    return next((number for name, number in STATES.items() if optim.startswith(name)), 2.0)


def activation_elements(shape: Shape, tokens: int) -> int:
    """Elements kept for the backward pass over `tokens` tokens in one micro-batch, without the head.

    One layer, hidden 4, key/value width 2, MLP width 8, 10 tokens: 10 * (28 + 4 + 32) = 640; with checkpointing
    10 * 4 + 640.
    """
    layer = tokens * (7 * shape.hidden + 2 * shape.kv_width + 4 * shape.mlp_width)
    return shape.layers * tokens * shape.hidden + layer if shape.checkpointing else shape.layers * layer


def memory_plan(shape: Shape, *, optim: str, tokens: int, response_tokens: int, engine: TrainEngine) -> MemoryPlan:
    """The plan for a longest micro-batch of `tokens` tokens, `response_tokens` of which reach the head."""
    head = 2 * response_tokens * shape.vocabulary * FLOAT32_BYTES  # logits and their log-softmax, in float32
    split = engine.processes
    trained_values = shape.trainable_bytes // FLOAT32_BYTES
    states = int(states_of(optim) * FLOAT32_BYTES * trained_values)
    return MemoryPlan(
        weights=shape.weight_bytes // (split if engine.shards_weights else 1),
        gradients=shape.trainable_bytes // (split if engine.shards_gradients else 1),
        optimizer=states // (split if engine.shards_optimizer else 1),
        activations=activation_elements(shape, tokens) * shape.activation_bytes + head,
    )


def shape_of(model: Any, *, checkpointing: bool, half: bool) -> Shape:
    """The shape of a loaded model, adapter included; `half` where activations have two bytes."""
    config = model.config.get_text_config()
    parameters = list(model.parameters())
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    hidden = int(config.hidden_size)
    heads = int(getattr(config, "num_attention_heads", 1))
    head_width = int(getattr(config, "head_dim", None) or hidden // heads)
    return Shape(
        weight_bytes=sum(p.numel() * p.element_size() for p in parameters),
        trainable_bytes=sum(p.numel() * p.element_size() for p in trained),
        layers=int(config.num_hidden_layers),
        hidden=hidden,
        kv_width=head_width * int(getattr(config, "num_key_value_heads", None) or heads),
        mlp_width=int(getattr(config, "intermediate_size", 4 * hidden)),
        vocabulary=int(config.vocab_size),
        checkpointing=checkpointing,
        activation_bytes=2 if half or parameters[0].element_size() == 2 else FLOAT32_BYTES,
    )


def free_bytes(device: str) -> int:
    """Memory that is free on the run's device now."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)


def plan_lines(plan: MemoryPlan, engine: TrainEngine, *, free: int, trained: int, total: int) -> list[str]:
    """The plan in lines for a person. `trained` of `total` parameters train; weights are loaded when `free` is read."""
    sizes = plan.to_mib()
    parts = ", ".join(f"{name} {sizes[name]:,.0f}" for name in ("weights", "gradients", "optimizer", "activations"))
    lines = [
        f"engine: {engine}",
        f"trains {trained:,} of {total:,} parameters",
        f"memory per device, MiB: {sizes['total']:,.0f} ({parts}; activations of the longest batch are an estimate)",
    ]
    still_to_come = plan.total - plan.weights
    if still_to_come > free:
        lines.append(
            f"WARNING: {still_to_come / MIB:,.0f} MiB are still to come and {free / MIB:,.0f} are free. Set "
            "gradient_checkpointing=true, fewer tokens per micro-batch, lora=true, or launch with ZeRO or FSDP"
        )
    return lines


def time_lines(seconds: Mapping[str, float], *, tokens: int, all_tokens: int, steps: int) -> list[str]:
    """A forecast of the run's time from the trial: `seconds["trial"]` for `tokens`, of `all_tokens` over all steps."""
    rate = tokens / seconds["trial"] if seconds["trial"] > 0 else float("inf")
    whole = all_tokens / rate
    return [
        f"trial of the longest batch: {tokens:,} tokens in {seconds['trial']:.2f} s, {rate:,.0f} tokens/s; "
        f"{steps} steps over {all_tokens:,} tokens would take about {readable(whole)} (without logs, saves, evaluation)"
    ]


def readable(seconds: float) -> str:
    """3,700 seconds are "1 h 1 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
