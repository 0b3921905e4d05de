"""Packed rows are exact for every family: log-probabilities, gradients, both kinds of attention, checkpointing.

The negative controls break one thing each, and show that these tests would see it.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.hand_processor import hand_processor
from tests.packing_difference import (
    LENGTHS,
    leaking,
    measure,
    model_of,
    packed_batch,
    separate_logps,
    shifted,
    softmax_in_double,
    without_restart,
)
from tests.tiny_families import FAMILIES, build, prompt, responses
from tests.training_rows import drawn_image, row

import blindpo.models.vlm.attention as attention_module
from blindpo.models.vlm.logprobs import response_sums
from blindpo.rows.row import IMAGE, Turn
from blindpo.training.arguments import make_arguments
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.packing.batch import packed_logps
from blindpo.training.packing.families import CannotPackError, family_of
from blindpo.training.preflight.packing_check import choose_path

SINGLE = 1e-4
DOUBLE_GRADIENT = 1e-5  # norms and rotary embeddings compute in float32 whatever the model is in
FAULT_NATS = 0.03  # three hundred times what is allowed
QUICK = ("LLaVA-1.5", "LLaVA-NeXT", "Qwen2.5-VL", "Idefics3", "Gemma3 (window 8)", "PaliGemma")
names = pytest.mark.parametrize("name", FAMILIES)
some = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in FAMILIES]
)


def attentions(name: str) -> list[str]:
    # the language model of PaliGemma 2 has no sdpa; "split" is what training uses of it
    return ["eager"] if name == "PaliGemma 2" else ["split", "sdpa", "eager"]


@pytest.fixture(autouse=True)
def short_prompts_are_split_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_module, "LEAST_CAUSAL", 4)


def test_a_split_is_a_split(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    whole = attention_module.sdpa_attention_forward

    def counted(module: object, query: torch.Tensor, *rest: object, **more: object) -> object:
        calls.append(query.shape[2])
        return whole(module, query, *rest, **more)

    monkeypatch.setattr(attention_module, "sdpa_attention_forward", counted)
    measure("LLaVA-1.5", attention="split")
    assert {23, sum(LENGTHS)} <= set(calls)  # a prompt of 23 tokens without a mask, the responses with theirs
    calls.clear()
    measure("Gemma3", attention="split")
    assert {4, 23 - 4 + sum(LENGTHS)} <= set(calls)  # up to the first image, whose tokens see each other both ways
    calls.clear()
    measure("Gemma3 (window 8)", attention="split", images=0)
    assert {7, 23 - 7 - 16 + sum(LENGTHS)} <= set(calls)


def double(name: str) -> float:
    return 1e-5 if name.startswith("PaliGemma") else 1e-9


GRID = [
    pytest.param(name, attention, checkpointing, marks=[] if quick else pytest.mark.slow)
    for name in FAMILIES
    for attention in attentions(name)
    for checkpointing in (False, True)
    # by default the strictest, and the one that has a mask of another kind; docs/families.md has all
    for quick in [(attention, checkpointing) in ((attentions(name)[0], True), ("eager", False))]
]


@pytest.mark.parametrize(("name", "attention", "checkpointing"), GRID)
def test_in_float32(name: str, attention: str, checkpointing: bool) -> None:
    found = measure(name, attention=attention, checkpointing=checkpointing)
    assert found.logp <= SINGLE
    assert found.gradient <= SINGLE


@pytest.mark.parametrize(("name", "attention", "checkpointing"), GRID)
def test_in_float64(name: str, attention: str, checkpointing: bool) -> None:
    with softmax_in_double():
        found = measure(name, attention=attention, checkpointing=checkpointing, dtype=torch.float64)
    assert found.logp <= double(name)
    assert found.gradient <= DOUBLE_GRADIENT


@pytest.mark.slow
@names
def test_text_alone_in_float64(name: str) -> None:
    for attention in attentions(name):
        with softmax_in_double():
            found = measure(name, attention=attention, dtype=torch.float64, images=0)
        assert found.logp <= double(name)
        assert found.gradient <= DOUBLE_GRADIENT


@names
def test_rows_of_different_kinds_and_numbers_of_responses_in_one_batch(name: str) -> None:
    model = model_of(name, attention=attentions(name)[0], checkpointing=False, dtype=torch.float64)
    family = family_of(model)
    prompts = [prompt(name, model, images=images, seed=images) for images in (1, 0, 2)]
    answers = [responses(3, 9), responses(2, 1, 5, 4, 6, 2), responses(8, 1, 3)]
    with torch.no_grad(), softmax_in_double():
        together_R = packed_logps(model, packed_batch(family, prompts, answers), family)
        alone_T = torch.cat([separate_logps(model, *pair) for pair in zip(prompts, answers, strict=True)])
    lengths = [len(answer) for its in answers for answer in its]
    alone_R = torch.stack([part.sum() for part in alone_T.split(lengths)])
    assert torch.allclose(together_R, alone_R, rtol=0, atol=10 * double(name))


@pytest.mark.parametrize("change", [without_restart, leaking, shifted])
@some
def test_a_fault_would_show(name: str, change: object) -> None:
    found = measure(name, attention=attentions(name)[0], change=change)  # type: ignore[arg-type]
    assert found.logp > FAULT_NATS
    assert found.gradient > 10 * SINGLE


@some
def test_a_mask_of_the_wrong_kind_would_show(name: str) -> None:
    found = measure(name, attention="eager", change=lambda family, batch: (replace(family, additive_mask=False), batch))
    assert found.logp > FAULT_NATS


@pytest.mark.parametrize("name", ["Gemma3 (window 8)", "LLaVA (Mistral, window 8)"])
def test_a_lost_window_would_show(name: str) -> None:
    found = measure(name, change=lambda family, batch: (replace(family, window=10**6), batch))
    assert found.logp > FAULT_NATS


@pytest.mark.parametrize("name", ["Gemma3", "PaliGemma"])
def test_a_lost_bidirectional_block_would_show(name: str) -> None:
    found = measure(
        name, change=lambda family, batch: (family, replace(batch, block_NS=torch.full_like(batch.block_NS, -1)))
    )
    assert found.logp > FAULT_NATS


@pytest.mark.parametrize("name", ["Qwen2-VL", "Qwen2.5-VL", "Qwen3-VL"])
def test_lost_image_positions_would_show(name: str) -> None:
    found = measure(
        name,
        change=lambda family, batch: (family, replace(batch, position_NS=batch.place_NS.expand_as(batch.position_NS))),
    )
    assert found.logp > FAULT_NATS


@some
def test_rows_of_every_kind_pass_the_check_at_the_start(name: str, tmp_path: Path) -> None:
    model = build(name, attention=attentions(name)[-2:][0])
    images = ImageTensors(hand_processor(name, model))
    two = (Turn(role="user", content=(IMAGE, "this or")), Turn(role="assistant", content=("what ?",)),
           Turn(role="user", content=(IMAGE, "that ?")))  # fmt: skip
    text = (Turn(role="user", content=("no picture",)),)
    rows = [
        row(0),
        row(1, prompt=text, images=()),
        row(2, prompt=two, images=(drawn_image("red"), drawn_image("blue"))),
    ]
    examples = [make_example(each, images, use_blind=True, max_length=None) for each in rows]
    if name.startswith("PaliGemma"):  # its responses are of the second kind, which is causal
        assert all(example.prompt.response_type == 1 for example in examples)
    settings = make_arguments({"use_cpu": True}, tmp_path, has_eval=False)
    found = choose_path(TrainConfig(packing="on"), model, examples, images=images, pad_id=0, settings=settings)
    assert found.family is not None and len(found.checked) == 3
    packed, plain = (Collator(images, pad_id=0, family=family) for family in (found.family, None))
    with torch.no_grad():
        together, apart = (collator.logps(model, collator(examples)) for collator in (packed, plain))
    assert torch.allclose(together, apart, rtol=0, atol=1e-3)


def test_what_no_mask_keeps_apart_is_refused_with_the_reason() -> None:
    model = build("LLaVA-OneVision")
    text = model.config.get_text_config()
    text.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(CannotPackError, match="linear_attention"):
        family_of(model)
    text._attn_implementation = "flash_attention_2"
    with pytest.raises(CannotPackError, match="attn_implementation=sdpa"):
        family_of(model)


def test_sums_do_not_depend_on_the_order_of_tokens() -> None:
    sums = response_sums(
        torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]), num_responses=3
    )
    assert sums.tolist() == [3.0, 0.0, 4.0]
