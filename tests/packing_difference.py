"""How far a packed row is from separate sequences, in log-probabilities and gradients: for tests and docs alike."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from blindpo.models.vlm.attention import SPLIT, use_attention
from blindpo.models.vlm.logprobs import response_token_logps
from blindpo.models.vlm.prompt import PromptInputs, collate
from blindpo.training.loss import Rewards, preference_loss
from blindpo.training.methods import METHODS
from blindpo.training.packing.batch import PackedBatch, pack, packed_token_logps
from blindpo.training.packing.families import Family, family_of
from blindpo.training.packing.segments import PackedRow, pack_row
from tests.tiny_families import build, prompt, responses

LENGTHS = (11, 17, 7)
BETA = 0.1


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest difference of a token's log-probability, in nats, and of a gradient, as a share of the largest."""

    logp: float
    gradient: float


def packed_row(family: Family, asked: PromptInputs, answers: Sequence[Sequence[int]]) -> PackedRow:
    """One row as the collator packs it."""
    return pack_row(
        asked.input_ids,
        answers,
        position_P=family.positions(asked.input_ids, asked.extras),
        block_P=family.blocks(asked.input_ids, asked.extras),
    )


def packed_batch(
    family: Family, prompts: Sequence[PromptInputs], answers: Sequence[Sequence[Sequence[int]]]
) -> PackedBatch:
    """Several rows, their responses numbered row after row."""
    rows = [packed_row(family, asked, its) for asked, its in zip(prompts, answers, strict=True)]
    starts = [sum(len(its) for its in answers[:n]) for n in range(len(answers))]
    order = [range(start, start + len(its)) for start, its in zip(starts, answers, strict=True)]
    return pack(rows, prompts, order, pad_id=0)


def separate_logps(model: Any, asked: PromptInputs, answers: Sequence[Sequence[int]]) -> Tensor:
    """Token by token, each response in a forward pass of its own."""
    return torch.cat([response_token_logps(model, collate([asked], [answer], pad_id=0)) for answer in answers])


def model_of(name: str, *, attention: str, checkpointing: bool, dtype: torch.dtype) -> Any:
    """The tiny model of a family, ready for a training step. `split` is sdpa with the prompt apart."""
    model = build(name, attention="sdpa" if attention == "split" else attention).to(dtype)
    if attention == "split":
        use_attention(model, SPLIT)
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.train()  # layers are checkpointed in training mode alone; there is no dropout
        assert any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    return model


@contextmanager
def softmax_in_double() -> Iterator[None]:
    """transformers' eager attention takes its softmax in float32 whatever the model is in; not so in here."""
    theirs = torch.nn.functional.softmax

    def softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None, **more: Any) -> Tensor:
        return theirs(input, dim=dim, dtype=None if input.dtype == torch.float64 else dtype, **more)

    torch.nn.functional.softmax = softmax
    try:
        yield
    finally:
        torch.nn.functional.softmax = theirs


def measure(
    name: str, *, attention: str = "sdpa", checkpointing: bool = False, dtype: torch.dtype = torch.float32,
    images: int = 2, change: Callable[[Family, PackedBatch], tuple[Family, PackedBatch]] | None = None,
) -> Difference:  # fmt: skip
    """A row of `images` images and three responses both ways; `change` breaks the packed one on purpose."""
    model = model_of(name, attention=attention, checkpointing=checkpointing, dtype=dtype)
    family = family_of(model)
    asked, answers = prompt(name, model, images=images), responses(*LENGTHS)
    batch = packed_batch(family, [asked], [answers])
    if change is not None:
        family, batch = change(family, batch)
    packed_T, packed_gradients = _graded(model, lambda: packed_token_logps(model, batch, family))
    separate_T, gradients = _graded(model, lambda: separate_logps(model, asked, answers))
    largest = max(float(gradient.abs().max()) for gradient in gradients.values())
    assert packed_gradients.keys() == gradients.keys()
    off = max(float((packed_gradients[n] - gradients[n]).abs().max()) for n in gradients)
    return Difference(float((packed_T - separate_T).abs().max()), off / largest)


def _graded(model: Any, forward: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Log-probabilities of tokens, and the gradients of the loss on them, every parameter's."""
    model.zero_grad(set_to_none=True)
    logps_T = forward()
    r_R = BETA * torch.stack([part.sum() for part in logps_T.split(LENGTHS)])
    tokens_R, row = torch.tensor(LENGTHS), torch.zeros(1, dtype=torch.long)
    kinds = (Rewards(r_R[k : k + 1], tokens_R[k : k + 1], row) for k in range(3))
    terms = preference_loss(*kinds, method=METHODS["bpo"], beta=BETA)
    terms.per_row_N.sum().backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return logps_T.detach(), found


def without_restart(family: Family, batch: PackedBatch) -> tuple[Family, PackedBatch]:
    """Positions go on from response to response."""
    size = batch.ids_NS.shape[1]
    return family, replace(batch, position_NS=torch.arange(size).expand_as(batch.position_NS) + family.first_position)


def leaking(family: Family, batch: PackedBatch) -> tuple[Family, PackedBatch]:
    """A response sees those before it."""
    return family, replace(batch, segment_NS=torch.zeros_like(batch.segment_NS))


def shifted(family: Family, batch: PackedBatch) -> tuple[Family, PackedBatch]:
    """The first token of a response is predicted by the packed token before it, the end of another response."""
    places = torch.arange(batch.ids_NS.shape[1])[batch.ids_NS.shape[1] - len(batch.target_T) :] - 1
    keep = torch.zeros_like(batch.keep_NS)
    keep[0, places] = True
    return family, replace(batch, keep_NS=keep, source_T=torch.arange(len(places)))
