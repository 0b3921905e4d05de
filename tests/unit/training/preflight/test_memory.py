"""The memory plan by hand."""

from dataclasses import replace

from blindpo.training.launch import TrainEngine
from blindpo.training.preflight.memory import (
    Shape,
    activation_elements,
    memory_plan,
    plan_lines,
    readable,
    shape_of,
    states_of,
    time_lines,
)

SHAPE = Shape(
    weight_bytes=4000, trainable_bytes=2000, layers=1, hidden=4, kv_width=2, mlp_width=8, vocabulary=10,
    checkpointing=False, activation_bytes=4,
)  # fmt: skip


def engine(name: str, processes: int = 4) -> TrainEngine:
    return TrainEngine(name=name, processes=processes, device="cpu")


def test_activations_by_hand() -> None:
    assert activation_elements(SHAPE, 10) == 640
    assert activation_elements(replace(SHAPE, checkpointing=True), 10) == 680
    assert activation_elements(replace(SHAPE, layers=3), 10) == 1920
    assert activation_elements(replace(SHAPE, layers=3, checkpointing=True), 10) == 3 * 40 + 640


def test_memory_by_hand_and_what_each_engine_splits() -> None:
    def parts(name: str) -> tuple[int, int, int]:
        plan = memory_plan(SHAPE, optim="adamw_torch_fused", tokens=10, response_tokens=3, engine=engine(name))
        assert plan.activations == 640 * 4 + 2 * 3 * 10 * 4
        assert plan.total == plan.weights + plan.gradients + plan.optimizer + plan.activations
        return plan.weights, plan.gradients, plan.optimizer

    assert parts("ddp") == (4000, 2000, 4000)
    assert parts("zero1") == (4000, 2000, 1000)
    assert parts("zero2") == (4000, 500, 1000)
    assert parts("zero3") == parts("fsdp2") == (1000, 500, 1000)


def test_states_of_optimizers() -> None:
    assert [states_of(name) for name in ("adamw_torch", "sgd", "adafactor", "paged_adamw_8bit", "lion_32bit")] == [
        2, 0, 0, 0.5, 1,
    ]  # fmt: skip


def test_the_shape_of_a_model_is_read_from_it() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.lm_head.weight.requires_grad_(False)
    found = shape_of(model, checkpointing=True, half=True)
    whole = sum(p.numel() for p in model.parameters())
    assert (found.weight_bytes, found.trainable_bytes) == (4 * whole, 4 * (whole - 88))
    assert (found.layers, found.hidden, found.kv_width, found.mlp_width, found.vocabulary) == (2, 8, 4, 12, 11)
    assert (found.checkpointing, found.activation_bytes) == (True, 2)


def test_a_plan_that_does_not_fit_says_what_to_do() -> None:
    plan = memory_plan(SHAPE, optim="sgd", tokens=10, response_tokens=3, engine=engine("single", 1))
    fits, tight = (plan_lines(plan, engine("single", 1), free=free, trained=1, total=2) for free in (10**6, 100))
    assert not any("WARNING" in line for line in fits)
    assert "gradient_checkpointing=true" in tight[-1]
    (line,) = time_lines({"trial": 2.0}, tokens=100, all_tokens=180_000, steps=9)
    assert "50 tokens/s; 9 steps over 180,000 tokens would take about 1 h 0 min" in line
    assert [readable(seconds) for seconds in (3.24, 75.0, 3700.0)] == ["3.2 s", "1 min 15 s", "1 h 1 min"]
