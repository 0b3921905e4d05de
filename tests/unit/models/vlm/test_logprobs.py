"""Log-probabilities of responses: by hand, and the same whatever stands beside them in a batch."""

import math

import pytest
import torch
from PIL import Image

import blindpo.models.vlm.logprobs as logprobs
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.logprobs import gather_logps, response_logps, token_logps
from blindpo.models.vlm.prompt import collate, encode_prompt, encode_response
from blindpo.rows.row import IMAGE, Turn

SEEING = (Turn(role="user", content=(IMAGE, "what is this ?")),)
TEXT = (Turn(role="user", content=("hello",)),)


def test_token_logps_by_hand() -> None:
    # place 0 predicts token 1 with odds 3:1 against token 0; place 1 is even; the prompt token has none
    logits = torch.tensor([[[0.0, math.log(3.0)], [0.0, 0.0], [9.0, 9.0]]])
    logps = token_logps(logits, torch.tensor([[0, 1, 0]]), torch.tensor([[False, True, True]]))
    torch.testing.assert_close(logps, torch.tensor([[0.0, math.log(0.75), math.log(0.5)]]))


def test_token_logps_are_float32_for_bfloat16_logits() -> None:
    logits = torch.zeros(1, 2, 4, dtype=torch.bfloat16)
    logps = token_logps(logits, torch.tensor([[0, 1]]), torch.tensor([[False, True]]))
    assert logps.dtype == torch.float32
    assert math.isclose(float(logps.sum()), math.log(0.25), rel_tol=1e-6)


@torch.no_grad()
def test_a_sequence_is_as_likely_alone_as_in_a_batch(tiny_vlm: Vlm) -> None:
    processor, model = tiny_vlm.processor, tiny_vlm.model
    picture = Image.new("RGB", (40, 30), (200, 10, 10))
    prompts = [encode_prompt(processor, SEEING, [picture]), encode_prompt(processor, TEXT, [])]
    responses = [encode_response(processor, SEEING, "a red ball"), encode_response(processor, TEXT, "hi", cut=True)]
    together = response_logps(model, collate(prompts, responses, pad_id=tiny_vlm.pad_id))
    for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        batch = collate([prompt], [response], pad_id=tiny_vlm.pad_id)
        alone = response_logps(model, batch)
        torch.testing.assert_close(together.sums_N[i], alone.sums_N[0], rtol=1e-5, atol=1e-4)
        assert int(together.num_tokens_N[i]) == len(response)
        whole = model(**batch.model_inputs("cpu", torch.float32)).logits.log_softmax(-1)[0]
        places = range(len(prompt.input_ids) - 1, len(prompt.input_ids) + len(response) - 1)
        by_hand = sum(float(whole[place, token]) for place, token in zip(places, response, strict=True))
        assert math.isclose(by_hand, float(alone.sums_N[0]), rel_tol=1e-4)
    torch.testing.assert_close(together.per_token_N, together.sums_N / together.num_tokens_N)


def test_gathering_has_the_gradient_of_log_softmax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logprobs, "PART_ELEMENTS", 21)  # parts of 3 places of 7 words
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    source, target = torch.tensor([0, 0, 5, 7, 7, 7]), torch.tensor([1, 2, 2, 0, 0, 6])
    weights = torch.randn(6, generator=generator, dtype=torch.float64)
    ours = gather_logps(logits, source, target)
    theirs = logits.log_softmax(-1)[source, target]
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-14)
    (mine,) = torch.autograd.grad((ours * weights).sum(), logits)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), logits)
    assert torch.allclose(mine, expected, rtol=0, atol=1e-14)
    half = logits.detach().bfloat16().requires_grad_()
    found = gather_logps(half, source, target)
    (gradient,) = torch.autograd.grad(found.sum(), half)
    assert (found.dtype, gradient.dtype) == (torch.float32, torch.bfloat16)
    assert gather_logps(logits[:0], source[:0], target[:0]).shape == (0,)


def test_a_likely_token_keeps_its_gradient_under_bfloat16_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logprobs, "PART_ELEMENTS", 12 * 500)  # the third part is not full
    place = torch.arange(32)
    target = torch.randint(500, (32,), generator=torch.Generator().manual_seed(1))
    logits = torch.randn(32, 500, generator=torch.Generator().manual_seed(0))
    logits[place, target] += 14.0
    half = logits.bfloat16()
    exact = 1 - half.double().softmax(-1)[place, target]
    assert float(exact.mean()) < 2**-9  # less than bfloat16 can take off 1
    found = {}
    for name in ("ours", "autograd"):
        given = half.clone().requires_grad_()
        logps = gather_logps(given, place, target) if name == "ours" else given.float().log_softmax(-1)[place, target]
        logps.sum().backward()
        assert given.grad is not None
        found[name] = given.grad
    torch.testing.assert_close(found["ours"][place, target].double(), exact, rtol=2**-7, atol=1e-8)
    torch.testing.assert_close(found["ours"], found["autograd"], rtol=2**-7, atol=1e-8)
