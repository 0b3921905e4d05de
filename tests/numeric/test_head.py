"""At a vocabulary of 150,000 no full logits tensor is made: seen at the head, at every tensor, and in peak memory."""

import multiprocessing
import resource
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tests.packing_difference import packed_batch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

from blindpo.models.vlm.prompt import PromptInputs
from blindpo.training.packing.batch import PackedBatch, packed_logps
from blindpo.training.packing.families import family_of

VOCABULARY = 150_000
PROMPT, LENGTHS = 700, (20, 30, 10)
ROWS = 2
SMALL = 300  # a prompt for the peak of memory: full logits of a large one take seconds to touch


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    text = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=1024,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=24, patch_size=12
    )
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=3, image_token_index=3)
    return LlavaForConditionalGeneration(config).eval()


def batch_of(model: Any, *, rows: int = ROWS, prompt: int = PROMPT) -> PackedBatch:
    generator = torch.Generator().manual_seed(0)

    def ids(count: int) -> torch.Tensor:
        return torch.randint(5, VOCABULARY, (count,), generator=generator)

    prompts = [PromptInputs(ids(prompt - row), {}) for row in range(rows)]
    answers = [[ids(length).tolist() for length in LENGTHS] for _ in range(rows)]
    return packed_batch(family_of(model), prompts, answers)


class _LargestTensor(TorchDispatchMode):
    """Notes the largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, torch.Tensor):
                self.elements = max(self.elements, each.numel())
        return made


def step(model: Any, batch: PackedBatch) -> None:
    model.zero_grad(set_to_none=True)
    packed_logps(model, batch, family_of(model)).sum().backward()


def full_logits_step(model: Any, batch: PackedBatch) -> None:
    model.zero_grad(set_to_none=True)
    logits = model(input_ids=batch.ids_NS, use_cache=False).logits.float()
    logits.log_softmax(-1).gather(-1, batch.ids_NS[..., None]).sum().backward()


def test_the_head_sees_response_places_alone(model: Any) -> None:
    seen: list[torch.Size] = []
    hook = model.lm_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    batch = batch_of(model)
    try:
        step(model, batch)
    finally:
        hook.remove()
    # the first tokens of a row's responses are predicted by one place, the last prompt token
    places = ROWS * (sum(LENGTHS) - len(LENGTHS) + 1)
    assert [shape.numel() // 16 for shape in seen] == [places]
    assert int(batch.keep_NS.sum()) == places


def test_no_tensor_is_larger_than_the_logits_of_the_responses(model: Any) -> None:
    batch = batch_of(model)
    with _LargestTensor() as watched:
        step(model, batch)
    kept = int(batch.keep_NS.sum()) * VOCABULARY
    assert watched.elements == kept < 0.1 * batch.ids_NS.numel() * VOCABULARY


def peak_growth_mib(work: Callable[[Any, PackedBatch], None], model: Any) -> float:
    """How far one step lifts the peak of a process of its own."""

    def child(sender: Any) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        work(model, batch)
        sender.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)

    batch = batch_of(model, rows=1, prompt=SMALL)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(sender,))
    process.start()
    found: float = receiver.recv()
    process.join()
    return found


def test_peak_memory_is_a_fraction_of_what_full_logits_cost(model: Any) -> None:
    packed, full = peak_growth_mib(step, model), peak_growth_mib(full_logits_step, model)
    logits_mib = (SMALL + sum(LENGTHS)) * VOCABULARY * 4 / 2**20
    assert full > 2 * logits_mib  # the logits and their gradient at least: the measure sees them
    assert packed < 0.75 * logits_mib  # the weights' gradients are in it too
    assert packed < 0.25 * full
