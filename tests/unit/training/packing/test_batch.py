"""The worked example of a packed batch, its masks, and how log-probabilities are gathered."""

import pytest
import torch

from blindpo.models.vlm.logprobs import gather_logps
from blindpo.models.vlm.prompt import PromptInputs
from blindpo.training.packing.batch import masks, pack
from blindpo.training.packing.families import Family
from blindpo.training.packing.segments import PackedRow, pack_row


def small_row(prompt: list[int], *responses: list[int]) -> PackedRow:
    ids = torch.tensor(prompt)
    return pack_row(ids, responses, position_P=torch.arange(len(prompt)), block_P=torch.full_like(ids, -1))


def test_the_worked_example_of_a_batch() -> None:
    rows = [small_row([7, 8], [1, 2], [3]), small_row([5], [6])]
    prompts = [PromptInputs(torch.tensor(ids), {}) for ids in ([7, 8], [5])]
    made = pack(rows, prompts, [[0, 2], [1]], pad_id=0)
    assert made.ids_NS.tolist() == [[7, 8, 1, 2, 3], [5, 6, 0, 0, 0]]
    assert made.segment_NS.tolist() == [[0, 0, 1, 1, 2], [0, 1, -1, -1, -1]]
    assert made.keep_NS.int().tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert made.source_T.tolist() == [0, 1, 0, 2]
    assert made.response_T.tolist() == [0, 0, 2, 1]
    assert made.lengths_R.tolist() == [2, 1, 1]


def test_layers_of_two_kinds_get_a_mask_each_and_eager_ones_floats() -> None:
    batch = pack([small_row([7, 8, 9, 4], [1])], [PromptInputs(torch.tensor([7, 8, 9, 4]), {})], [[0]], pad_id=0)
    kinds = ("sliding_attention", "full_attention")
    made = masks(batch, Family(layer_kinds=kinds, window=2), torch.float32)
    assert isinstance(made, dict) and set(made) == set(kinds)
    assert made["full_attention"].sum() == 15 and made["sliding_attention"].sum() == 9
    eager = masks(batch, Family(additive_mask=True), torch.bfloat16)
    assert isinstance(eager, torch.Tensor) and eager.shape == (1, 1, 5, 5) and eager.dtype == torch.bfloat16


def test_the_worked_example_of_gathering() -> None:
    logits = torch.tensor([[0.0, 0.0], [3.0, 1.0]]).log().nan_to_num(neginf=0.0)
    found = gather_logps(logits, torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1])).exp()
    assert found.tolist() == pytest.approx([1 / 2, 3 / 4, 1 / 4])
