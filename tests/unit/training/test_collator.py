"""The worked example of a whole batch, number by number; packed and plain batches give the same; the dummy row."""

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import blind, drawn_image, row

from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.prompt import PromptInputs
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, Turn
from blindpo.training.collator import DUMMY, Batch, Collator
from blindpo.training.examples import Example, Ids, ImageTensors, make_example
from blindpo.training.micro_batches import StepPlan, StepRows, dummy_of, size_of, sizes_of, step_loader
from blindpo.training.packing.families import Family, family_of


class NoImages(ImageTensors):
    """Prompts that need no processor."""

    def whole_prompt(self, example: Example) -> PromptInputs:
        return example.prompt


def example(prompt: list[int], chosen: Ids, rejected: Ids, *blind: Ids) -> Example:
    return Example(
        row=row(0, images=()), prompt=PromptInputs(torch.tensor(prompt), {}), image_key=(), chosen=chosen,
        rejected=(rejected,), blind=blind,
    )  # fmt: skip


def batch_of(family: Family | None) -> Batch:
    rows = [example([7, 8], (1, 2), (3,)), example([5], (6,), (4,), (9,))]
    return Collator(NoImages(None), pad_id=0, family=family)(rows)


@pytest.mark.parametrize("family", [None, Family()], ids=["plain", "packed"])
def test_what_each_response_is(family: Family | None) -> None:
    batch = batch_of(family)
    assert batch["kind_S"].tolist() == [0, 0, 1, 1, 2]
    assert batch["row_S"].tolist() == [0, 1, 0, 1, 1]
    assert batch["tokens_S"].tolist() == [2, 1, 1, 1, 1]
    assert batch["reference_S"].tolist() == [0.0] * 5 and batch["reference_S"].dtype == torch.float64


def test_the_plain_batch_of_the_docstring() -> None:
    sequences = batch_of(None)["sequences"]
    assert sequences["input_ids"].tolist() == [[7, 8, 1, 2], [5, 6, 0, 0], [7, 8, 3, 0], [5, 4, 0, 0], [5, 9, 0, 0]]
    assert sequences["response_mask"].int().tolist() == [
        [0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 1, 0, 0],
    ]  # fmt: skip


def test_the_packed_batch_of_the_docstring() -> None:
    packed = batch_of(Family())["packed"]
    assert packed["ids_NS"].tolist() == [[7, 8, 1, 2, 3], [5, 6, 4, 9, 0]]
    assert packed["segment_NS"].tolist() == [[0, 0, 1, 1, 2], [0, 1, 2, 3, -1]]
    assert packed["target_T"].tolist() == [1, 2, 3, 6, 4, 9]
    assert packed["response_T"].tolist() == [0, 0, 2, 1, 3, 4]


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
        row(3, prompt=two, images=(drawn_image("red"), drawn_image("blue"))),
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
    assert len(other["packed"]["extras"]["pixel_values"]) == 4  # each image once


@pytest.mark.parametrize("num_processes", [1, 2])
def test_batches_hold_the_budget_with_their_dummy_row(num_processes: int, vlm: Vlm) -> None:
    images = ImageTensors(vlm.processor)
    collator = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model))
    wide = row(0, prompt=(Turn(role="user", content=(IMAGE, "x" * 300)),))
    texts = [row(n, prompt=(Turn(role="user", content=("why?",)),), images=()) for n in range(1, 12)]
    made = [make_example(each, images, use_blind=True, max_length=None) for each in (wide, *texts)]
    limit = max(each.packed_tokens for each in made) + 5
    dummy = dummy_of(made, num_processes=num_processes)
    extra = None if dummy is None else size_of(dummy, packed=True)
    plan = StepPlan(
        sizes=sizes_of(made, packed=True), dummy=extra, rows_per_step=4, num_processes=num_processes, max_rows=4,
        max_tokens=limit,
    )  # fmt: skip
    rows = StepRows(made, collator, dummy=dummy)
    for process in range(num_processes):
        for step in step_loader(rows, plan, process=process, steps_done=lambda: 0):
            for make in step["micro_batches"]:
                batch = make()
                count, tokens = len(batch["row_ids"]), batch["packed"]["ids_NS"].numel()
                with_it = DUMMY in batch["kind_S"].tolist()
                assert tokens <= limit or (count, with_it) == (2, True)
                assert num_processes == 1 or batch["packed"]["extras"]  # the tower is touched


def test_a_dummy_row_comes_last_and_is_no_row(vlm: Vlm) -> None:
    images = ImageTensors(vlm.processor)
    made = examples(images)
    collator = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model))
    batch = collator([made[2]], made[0])
    assert batch["kind_S"].tolist() == [0, 1, 2, DUMMY]
    with torch.no_grad():
        with_it, alone = collator.logps(vlm.model, batch), collator.logps(vlm.model, collator([made[2]]))
    assert torch.allclose(with_it[:3], alone, rtol=0, atol=1e-5)
    assert collator([], made[0])["kind_S"].tolist() == [DUMMY]
