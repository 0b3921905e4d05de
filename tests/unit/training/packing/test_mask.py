"""The worked examples of masks."""

import torch

from blindpo.training.packing.mask import additive, visible


def drawn(mask: torch.Tensor) -> list[str]:
    return ["".join("x" if seen else "." for seen in line) for line in mask[0].tolist()]


def test_the_worked_example_of_a_mask() -> None:
    segment, place = torch.tensor([[0, 0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 3, 2]])
    none = torch.full_like(segment, -1)
    assert drawn(visible(segment, place, none)) == ["x....", "xx...", "xxx..", "xxxx.", "xx..x"]
    assert drawn(visible(segment, place, none, window=2)) == ["x....", "xx...", ".xx..", "..xx.", ".x..x"]
    both_ways = torch.tensor([[0, 0, -1, -1, -1]])
    assert drawn(visible(segment, place, both_ways)) == ["xx...", "xx...", "xxx..", "xxxx.", "xx..x"]


def test_padding_sees_itself_alone_and_nobody_sees_it() -> None:
    segment = torch.tensor([[0, 1, -1, -1]])
    seen = visible(segment, torch.tensor([[0, 1, 0, 0]]), torch.full_like(segment, -1))
    assert drawn(seen) == ["x...", "xx..", "..x.", "...x"]
    assert additive(seen, torch.float32)[0, 1].tolist() == [0.0, 0.0, float("-inf"), float("-inf")]
