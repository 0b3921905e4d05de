"""Log-probabilities of responses after their prompts: pure gathering over logits, summed in float32.

Used by blind (likelihood of a blind response when the image is shown), train (the loss) and evaluate (pairwise
accuracy), so that one definition holds everywhere. Legend: B = N sequences, L padded length, V vocabulary; M positions
with logits, T response tokens, R responses.
"""

from dataclasses import dataclass
from typing import Any, Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from blindpo.models.vlm.prompt import SequenceBatch

PART_ELEMENTS: Final = 2**22


@dataclass(frozen=True, slots=True)
class ResponseLogps:
    """For each sequence the summed log-probability of its response, and its number of tokens."""

    sums_N: Float[Tensor, " N"]
    num_tokens_N: Int[Tensor, " N"]

    @property
    def per_token_N(self) -> Float[Tensor, " N"]:
        """Mean log-probability per token; 0 for an empty response."""
        return self.sums_N / self.num_tokens_N.clamp(min=1)


def gather_logps(
    logits_MV: Float[Tensor, "M V"], source_T: Int[Tensor, " T"], target_T: Int[Tensor, " T"]
) -> Float[Tensor, " T"]:
    """Return log p(target) under the logits at positions `source_T`, in float32 or better for any logits.

    Two positions with logits [0, 0] and [ln 3, 0]; sources [0, 1, 1], targets [1, 0, 1]: [ln 1/2, ln 3/4, ln 1/4].
    """
    logps_T: Tensor = _GatherLogps.apply(logits_MV, source_T, target_T)  # type: ignore[no-untyped-call]
    return logps_T


class _GatherLogps(torch.autograd.Function):
    """log_softmax and gather with a single tensor as large as the logits, their gradient. Plain autograd makes five."""

    @staticmethod
    def forward(ctx: Any, logits_MV: Tensor, source_T: Tensor, target_T: Tensor) -> Tensor:
        dtype = torch.promote_types(logits_MV.dtype, torch.float32)
        normal_M = torch.cat([part.to(dtype).logsumexp(-1) for part in _parts(logits_MV)])
        ctx.save_for_backward(logits_MV, normal_M, source_T, target_T)
        return logits_MV[source_T, target_T].to(dtype) - normal_M[source_T]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor, None, None]:
        logits_MV, normal_M, source_T, target_T = ctx.saved_tensors
        # a position may predict the first token of several responses; `accumulate` fixes the order on a GPU too
        weight_M = torch.zeros_like(normal_M).index_put((source_T,), -gradient_T, accumulate=True)
        gradient_MV = torch.empty_like(logits_MV)
        sizes = [len(part) for part in _parts(logits_MV)]
        pieces = (each.split(sizes) for each in (logits_MV, gradient_MV, normal_M, weight_M))
        begin = 0
        for logits_PV, out_PV, normal_P, weight_P in zip(*pieces, strict=True):
            part_PV = (logits_PV.to(normal_M.dtype) - normal_P[:, None]).exp_().mul_(weight_P[:, None])
            # Add targets in float32, since 1 - p of a likely token is lost if p is rounded to bfloat16 first. Targets
            # of other parts are added as 0, since selecting them would make a GPU wait.
            here_T = (source_T >= begin) & (source_T < begin + len(part_PV))
            position_T = (source_T - begin).clamp(0, len(part_PV) - 1)
            part_PV.index_put_((position_T, target_T), gradient_T.where(here_T, 0.0), accumulate=True)
            out_PV.copy_(part_PV)
            begin += len(part_PV)
        return gradient_MV, None, None


def _parts(logits_MV: Tensor) -> tuple[Tensor, ...]:
    """Split the logits into few positions at a time, so that their float32 copies stay small."""
    return torch.split(logits_MV, max(1, PART_ELEMENTS // logits_MV.shape[-1]))


def response_sums(
    logps_T: Float[Tensor, " T"], response_T: Int[Tensor, " T"], run_T: Int[Tensor, " T"], *, num_responses: int
) -> Float[Tensor, " R"]:
    """Return the sum over each response's tokens; `run_T` is a token's index in its response.

    Summed over the rows of a rectangle, since a scattered addition has no fixed order on a GPU. Values [1, 2, 4] of the
    responses [0, 0, 2] of three, at the indices [0, 1, 0]: [3, 0, 4].
    """
    longest = int(run_T.max()) + 1 if len(run_T) else 0
    return logps_T.new_zeros(num_responses, longest).index_put((response_T, run_T), logps_T).sum(-1)


def token_logps(
    logits_BLV: Float[Tensor, "B L V"], input_ids_BL: Int[Tensor, "B L"], response_mask_BL: Bool[Tensor, "B L"]
) -> Float[Tensor, "B L"]:
    """Return log p(token | all before it) at each response token, 0 elsewhere, in float32 or better.

    The logits at position i - 1 predict the token at position i. Ids [a, b], response mask [., x], and at position 0
    equal logits over a vocabulary of four: the answer is [0, log 1/4].
    """
    mask_BM = response_mask_BL[:, 1:]
    logits_TV = logits_BLV[:, :-1][mask_BM]  # normalise only response positions, since most tokens are prompts
    wanted_T = input_ids_BL[:, 1:][mask_BM]
    logps_T = gather_logps(logits_TV, torch.arange(len(wanted_T), device=wanted_T.device), wanted_T)
    logps_BL = torch.zeros(input_ids_BL.shape, dtype=logps_T.dtype, device=logits_BLV.device)
    scored_BL = torch.nn.functional.pad(mask_BM, (1, 0))
    return logps_BL.masked_scatter(scored_BL, logps_T)


def response_logps(model: Any, batch: SequenceBatch) -> ResponseLogps:
    """Score responses in one forward pass over `batch`, with gradients if enabled. Prompt logits are not computed."""
    logps_BK, response_BK = _forward(model, batch)
    return ResponseLogps(logps_BK.sum(-1), response_BK.sum(-1))


def response_token_logps(model: Any, batch: SequenceBatch) -> Float[Tensor, " T"]:
    """Return the values before the sums, sequence after sequence."""
    logps_BK, response_BK = _forward(model, batch)
    return logps_BK[response_BK]


def _forward(model: Any, batch: SequenceBatch) -> tuple[Float[Tensor, "B K"], Bool[Tensor, "B K"]]:
    """Return log-probabilities of the last K positions, from the first response token on, and the response mask."""
    first = next(model.parameters())  # a DDP wrapper has parameters, but neither device nor dtype
    inputs = batch.model_inputs(first.device, first.dtype)
    response_BL = batch.response_mask.to(first.device)
    start = int(batch.response_mask.any(0).int().argmax())
    kept = batch.input_ids.shape[1] - max(start - 1, 0)  # the position before the first response token predicts it
    logits_BKV = model(**inputs, logits_to_keep=kept, use_cache=False).logits
    response_BK = response_BL[:, -kept:]
    return token_logps(logits_BKV, inputs["input_ids"][:, -kept:], response_BK), response_BK
