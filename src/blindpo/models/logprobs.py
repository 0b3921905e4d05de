"""How likely a response is after a prompt: pure gathering over logits, summed in float32.

Used by blind (likelihood of a blind response with the image in sight), train (the loss) and evaluate (pairwise
accuracy), so that one definition holds everywhere. Legend: B = N sequences, L padded length, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from blindpo.models.prompt import SequenceBatch


@dataclass(frozen=True, slots=True)
class ResponseLogps:
    """Per sequence: the summed log-probability of its response, and how many tokens that is."""

    sums_N: Float[Tensor, " N"]
    num_tokens_N: Int[Tensor, " N"]

    @property
    def per_token_N(self) -> Float[Tensor, " N"]:
        """Mean log-probability per token; 0 for an empty response."""
        return self.sums_N / self.num_tokens_N.clamp(min=1)


def token_logps(
    logits_BLV: Float[Tensor, "B L V"], input_ids_BL: Int[Tensor, "B L"], response_mask_BL: Bool[Tensor, "B L"]
) -> Float[Tensor, "B L"]:
    """log p(token | all before it) at each response token, 0 elsewhere, in float32 whatever the logits are.

    The logits at place i - 1 predict the token at place i. Ids [a, b], response mask [., x], and at place 0 even
    logits over a vocabulary of four: the answer is [0, log 1/4].
    """
    predicting_BMV = logits_BLV[:, :-1]
    wanted_BM = input_ids_BL[:, 1:]
    mask_BM = response_mask_BL[:, 1:]
    logps_BL = torch.zeros(input_ids_BL.shape, dtype=torch.float32, device=logits_BLV.device)
    logits_TV = predicting_BMV[mask_BM].float()  # only response places are normalised: prompts are most of the tokens
    logps_T = logits_TV.log_softmax(-1).gather(-1, wanted_BM[mask_BM][:, None]).squeeze(-1)
    places_BL = torch.nn.functional.pad(mask_BM, (1, 0))
    return logps_BL.masked_scatter(places_BL, logps_T)


def response_logps(model: Any, batch: SequenceBatch) -> ResponseLogps:
    """One forward pass over `batch`; gradients flow where the caller lets them. Prompt logits are not made."""
    first = next(model.parameters())  # a DDP wrapper has parameters, but neither device nor dtype
    inputs = batch.model_inputs(first.device, first.dtype)
    response_BL = batch.response_mask.to(first.device)
    start = int(batch.response_mask.any(0).int().argmax())
    kept = batch.input_ids.shape[1] - max(start - 1, 0)  # one place before the first response token predicts it
    logits_BKV = model(**inputs, logits_to_keep=kept, use_cache=False).logits
    logps_BK = token_logps(logits_BKV, inputs["input_ids"][:, -kept:], response_BL[:, -kept:])
    return ResponseLogps(logps_BK.sum(-1), response_BL.sum(-1))
