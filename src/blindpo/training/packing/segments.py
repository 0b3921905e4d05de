"""Pack one row into one sequence, [prompt and images][chosen][rejected...][blind...], and index its predictions.

Legend: P prompt tokens, S packed tokens, T response tokens of all responses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from blindpo.training.packing.mask import NO_BLOCK


@dataclass(frozen=True, slots=True)
class PackedRow:
    """The parts of one packed sequence, before padding."""

    ids_S: Int[Tensor, " S"]
    segment_S: Int[Tensor, " S"]
    """0 in the prompt, k in the k-th response."""
    place_S: Int[Tensor, " S"]
    """The place of each token in a sequence of its own: prompt, then its response."""
    block_S: Int[Tensor, " S"]
    """Blocks of prompt tokens that see each other both ways; -1 elsewhere."""
    position_S: Int[Tensor, "*axes S"]
    """Positions for rotary embeddings, which restart after the prompt; one axis, or three of M-RoPE before it."""
    source_T: Int[Tensor, " T"]
    """Which packed token predicts the response token."""
    target_T: Int[Tensor, " T"]
    response_T: Int[Tensor, " T"]
    """Whose token it is: 0 for the first response."""
    run_T: Int[Tensor, " T"]
    """Its place in its response."""


def pack_row(
    prompt_P: Int[Tensor, " P"],
    responses: Sequence[Sequence[int]],
    *,
    position_P: Int[Tensor, "*axes P"],
    block_P: Int[Tensor, " P"],
) -> PackedRow:
    """Prompt [7, 8] with responses [1, 2] and [3], positions of the prompt [0, 1]:

        ids       7 8 1 2 3      segment  0 0 1 1 2      place = position  0 1 2 3 2
        source    1 2 1          target   1 2 3          response  0 0 1      run  0 1 0

    The last prompt token predicts the first token of every response, not the token that happens to precede it.
    Positions go on after the largest of the prompt's, which under M-RoPE is not its length.
    """
    num_prompt = len(prompt_P)
    lengths = [len(response) for response in responses]
    after = int(position_P.max()) + 1
    runs = [torch.arange(length) for length in lengths]
    run_T = torch.cat([torch.arange(0), *runs])
    response_T = torch.cat([torch.arange(0), *(torch.full((length,), k) for k, length in enumerate(lengths))])
    target_T = torch.tensor([token for response in responses for token in response], dtype=torch.long)
    place_T = num_prompt + torch.arange(len(target_T))
    axes = position_P.shape[:-1]
    return PackedRow(
        ids_S=torch.cat([prompt_P, target_T]),
        segment_S=torch.cat([torch.zeros(num_prompt, dtype=torch.long), response_T + 1]),
        place_S=torch.cat([torch.arange(num_prompt), num_prompt + run_T]),
        block_S=torch.cat([block_P, torch.full_like(target_T, NO_BLOCK)]),
        position_S=torch.cat([position_P, (after + run_T).expand(*axes, -1)], -1),
        source_T=torch.where(run_T == 0, num_prompt - 1, place_T - 1),
        target_T=target_T,
        response_T=response_T,
        run_T=run_T,
    )
