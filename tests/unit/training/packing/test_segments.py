"""The worked examples of a row as one sequence."""

import torch

from blindpo.training.packing.segments import PackedRow, pack_row


def small_row(prompt: list[int], *responses: list[int]) -> PackedRow:
    ids = torch.tensor(prompt)
    return pack_row(ids, responses, position_P=torch.arange(len(prompt)), block_P=torch.full_like(ids, -1))


def test_the_worked_example_of_a_row() -> None:
    made = small_row([7, 8], [1, 2], [3])
    assert made.ids_S.tolist() == [7, 8, 1, 2, 3]
    assert made.segment_S.tolist() == [0, 0, 1, 1, 2]
    assert made.place_S.tolist() == made.position_S.tolist() == [0, 1, 2, 3, 2]
    assert (made.source_T.tolist(), made.target_T.tolist()) == ([1, 2, 1], [1, 2, 3])
    assert (made.response_T.tolist(), made.run_T.tolist()) == ([0, 0, 1], [0, 1, 0])


def test_positions_go_on_after_the_largest_of_the_prompt() -> None:
    of_image = torch.tensor([[0, 1, 1, 1, 2], [0, 1, 1, 2, 3], [0, 1, 2, 1, 2]])
    made = pack_row(torch.arange(5), [[6, 6]], position_P=of_image, block_P=torch.full((5,), -1))
    assert made.position_S[:, 5:].tolist() == [[4, 5]] * 3
    assert made.place_S.tolist() == [0, 1, 2, 3, 4, 5, 6]
