"""The worked examples of masks, segments and packed batches, and the batch that the collator makes of them."""

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import blind, picture, row

from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.logprobs import gather_logps
from blindpo.models.vlm.prompt import PromptInputs
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, Turn
from blindpo.training.collator import COMPANION, Collator
from blindpo.training.examples import Example, ImageTensors, make_example
from blindpo.training.micro_batches import StepPlan, StepRows, companion_of, size_of, sizes_of, step_loader
from blindpo.training.packing.batch import masks, pack
from blindpo.training.packing.families import Family, family_of
from blindpo.training.packing.mask import additive, visible
from blindpo.training.packing.segments import PackedRow, pack_row


def small_row(prompt: list[int], *responses: list[int]) -> PackedRow:
    ids = torch.tensor(prompt)
    return pack_row(ids, responses, position_P=torch.arange(len(prompt)), block_P=torch.full_like(ids, -1))


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


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(resolve_model(save_tiny_llava(tmp_path_factory.mktemp("models") / "base")), device="cpu")


def examples(images: ImageTensors) -> list[Example]:
    two = (Turn(role="user", content=(IMAGE, "this?")), Turn(role="assistant", content=("a",)),
           Turn(role="user", content=(IMAGE, "and this?")))  # fmt: skip
    rows = [
        row(0, blind=(), more_rejected=("never", "why not")),
        row(1, blind=(blind("x"), blind("y y y"))),
        row(2, prompt=(Turn(role="user", content=("no picture",)),), images=()),
        row(3, prompt=two, images=(picture("red"), picture("blue"))),
    ]
    return [make_example(each, images, use_blind=True, max_length=None) for each in rows]


def test_packed_batches_give_what_plain_ones_give_in_the_same_order(vlm: Vlm) -> None:
    images = ImageTensors(vlm.processor)
    made = examples(images)
    plain = Collator(images, pad_id=vlm.pad_id)
    packed = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model))
    one, other = plain(made), packed(made)
    for name in ("kind_S", "row_S", "reference_S"):
        assert torch.equal(one[name], other[name])
    with torch.no_grad():
        assert torch.allclose(plain.logps(vlm.model, one), packed.logps(vlm.model, other), rtol=0, atol=1e-4)
    assert len(one["sequences"]["extras"]["pixel_values"]) == 4 + 4 + 3 * 2
    assert len(other["packed"]["extras"]["pixel_values"]) == 4  # each picture once


@pytest.mark.parametrize("num_processes", [1, 2])
def test_batches_hold_the_budget_with_their_companion(num_processes: int, vlm: Vlm) -> None:
    images = ImageTensors(vlm.processor)
    collator = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model))
    wide = row(0, prompt=(Turn(role="user", content=(IMAGE, "x" * 300)),))
    texts = [row(n, prompt=(Turn(role="user", content=("why?",)),), images=()) for n in range(1, 12)]
    made = [make_example(each, images, use_blind=True, max_length=None) for each in (wide, *texts)]
    limit = max(each.packed_tokens for each in made) + 5
    companion = companion_of(made, num_processes=num_processes)
    extra = None if companion is None else size_of(companion, packed=True)
    plan = StepPlan(
        sizes=sizes_of(made, packed=True), companion=extra, rows_per_step=4, num_processes=num_processes, max_rows=4,
        max_tokens=limit,
    )  # fmt: skip
    rows = StepRows(made, collator, companion=companion)
    for process in range(num_processes):
        for step in step_loader(rows, plan, process=process, steps_done=lambda: 0):
            for make in step["micro_batches"]:
                batch = make()
                count, tokens = len(batch["row_ids"]), batch["packed"]["ids_NS"].numel()
                with_it = COMPANION in batch["kind_S"].tolist()
                assert tokens <= limit or (count, with_it) == (2, True)
                assert num_processes == 1 or batch["packed"]["extras"]  # the tower is touched


def test_a_companion_comes_last_and_is_no_row(vlm: Vlm) -> None:
    images = ImageTensors(vlm.processor)
    made = examples(images)
    collator = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model))
    batch = collator([made[2]], made[0])
    assert batch["kind_S"].tolist() == [0, 1, 2, COMPANION]
    with torch.no_grad():
        with_it, alone = collator.logps(vlm.model, batch), collator.logps(vlm.model, collator([made[2]]))
    assert torch.allclose(with_it[:3], alone, rtol=0, atol=1e-5)
    assert collator([], made[0])["kind_S"].tolist() == [COMPANION]
