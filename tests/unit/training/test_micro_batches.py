"""Updates and their micro-batches: fixed rows, equal numbers on all processes, limits held, nothing lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import Trainer, TrainingArguments

from blindpo.training.micro_batches import RowSize, StepPlan, StepRows, padded_tokens, split, step_loader, with_dummy


def sizes(*widths: int) -> list[RowSize]:
    return [RowSize(width, 1, width) for width in widths]


def test_the_worked_example_of_cutting() -> None:
    some = sizes(5, 9, 4)
    assert split([0, 1, 2], some, num_processes=1, max_rows=8, max_tokens=10) == [[(1,), (0, 2)]]
    assert split([0, 1, 2], some, num_processes=2, max_rows=8, max_tokens=10) == [[(1,)], [(0, 2)]]
    assert split([0, 1, 2], some, num_processes=3, max_rows=8, max_tokens=10) == [[(1,)], [(0,)], [(2,)]]
    assert split([0, 1, 2], some, num_processes=4, max_rows=8, max_tokens=10) == [[(1,)], [(0,)], [(2,)], [()]]
    assert split([0, 1, 2], some, num_processes=1, max_rows=2, max_tokens=None) == [[(1, 0), (2,)]]


@given(
    widths=st.lists(st.integers(1, 30), min_size=1, max_size=20),
    num_processes=st.integers(1, 5),
    max_rows=st.integers(1, 6),
    max_tokens=st.none() | st.integers(30, 90),
)
def test_every_row_once_within_limits_and_as_many_micro_batches_everywhere(
    widths: list[int], num_processes: int, max_rows: int, max_tokens: int | None
) -> None:
    some = sizes(*widths)
    made = split(range(len(some)), some, num_processes=num_processes, max_rows=max_rows, max_tokens=max_tokens)
    assert len(made) == num_processes and len({len(each) for each in made}) == 1
    batches = [batch for each in made for batch in each]
    assert sorted(row for batch in batches for row in batch) == list(range(len(some)))
    for batch in batches:
        if max_tokens is None:
            assert len(batch) <= max_rows
        else:
            assert padded_tokens([some[row] for row in batch]) <= max_tokens


@given(
    rows=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 3), st.booleans()), min_size=1, max_size=20),
    num_processes=st.integers(2, 5),
    max_tokens=st.integers(90, 250),
)
def test_every_micro_batch_touches_all_and_the_dummy_row_is_within_the_limit(
    rows: list[tuple[int, int, bool]], num_processes: int, max_tokens: int
) -> None:
    mixed = any(pictured for _, _, pictured in rows)
    some = [RowSize(width, sequences, width, pictured or not mixed) for width, sequences, pictured in rows]
    dummy = RowSize(min(size.width for size in some if size.touches_all), 1, 1)
    made = split(range(len(some)), some, num_processes=num_processes, max_rows=1, max_tokens=max_tokens, dummy=dummy)
    for batch in (batch for each in made for batch in each):
        carried = with_dummy(batch, some, dummy)
        assert any(size.touches_all for size in carried)
        assert len(carried) - len(batch) == (not any(some[row].touches_all for row in batch))
        assert padded_tokens(carried) <= max_tokens or len(batch) == 1


def test_the_dummy_row_is_counted_wherever_tokens_are() -> None:
    # two texts of 2 tokens among images; on two processes the text micro-batch is 3 rows as wide as the dummy
    some = tuple(replace(size, touches_all=size.width > 2) for size in sizes(9, 2, 2))
    options: Any = {"sizes": some, "dummy": RowSize(7, 1, 7), "rows_per_step": 3, "num_processes": 2, "max_rows": 2}
    plan = StepPlan(**options)
    ((_, processes),) = plan.splits(0)
    assert processes == [[(0, 1)], [(2,)]]
    assert [plan.tokens(part) for part in ((0, 1), (2,), (1, 2), ())] == [18, 14, 21, 7]
    assert plan.padding_share(1) == pytest.approx(1 - 13 / 32)
    assert plan.step(3, [(0, 1), (2,), ()]).with_dummy == (False, True, True)
    ((_, processes),) = StepPlan(**{**options, "max_tokens": 20}).splits(0)
    assert processes == [[(0, 1)], [(2,)]]  # (1, 2) would be 21


def test_an_epoch_has_every_row_once_in_the_order_of_its_seed() -> None:
    plan = StepPlan(sizes=tuple(sizes(*range(1, 12))), rows_per_step=4, max_rows=4, seed=3)
    first, again, second = (
        [sorted(row for batch in processes[0] for row in batch) for _, processes in plan.splits(epoch)]
        for epoch in (0, 0, 1)
    )
    assert first == again != second
    assert [len(step) for step in first] == [4, 4, 3] and len(plan) == 3
    assert sorted(row for step in first for row in step) == list(range(11))
    assert len(StepPlan(sizes=plan.sizes, rows_per_step=4, max_rows=4, drop_last=True)) == 2


def test_padding_is_counted_over_all_updates() -> None:
    # widths 4 and 2 together: 8 tokens, 2 of them padding; then 3 alone
    plan = StepPlan(sizes=tuple(sizes(4, 2, 3)), rows_per_step=2, max_rows=2)
    assert plan.padding_share(1) == pytest.approx(2 / 8)
    assert plan.padding_share(2) == pytest.approx(2 / 11)
    assert plan.padding_share(4) == pytest.approx(4 / 22)
    assert plan.padding_share(0) == 0


def test_a_loader_takes_up_where_the_updates_stand() -> None:
    class Names(StepRows):
        def __init__(self) -> None:
            pass

        def __len__(self) -> int:
            return 6

        def __getitem__(self, step: Any) -> Any:
            return {"step": step}

    plan = StepPlan(sizes=tuple(sizes(*[1] * 6)), rows_per_step=4, max_rows=2, num_processes=2, seed=0)
    for epoch, done in enumerate((0, 2)):
        loaders = [
            step_loader(Names(), plan, process=process, steps_done=lambda done=done: done)  # type: ignore[misc]
            for process in (0, 1)
        ]
        mine, theirs = ([batch["step"] for batch in loader] for loader in loaders)
        assert [step.num_rows for step in mine] == [4, 2]
        expected = [[tuple(process) for process in processes] for _, processes in plan.splits(epoch)]
        assert [[one.micro_batches, other.micro_batches] for one, other in zip(mine, theirs, strict=True)] == expected


def test_the_order_of_rows_is_transformers_own(tmp_path: Path) -> None:
    settings = TrainingArguments(
        output_dir=str(tmp_path), use_cpu=True, per_device_train_batch_size=4, seed=7, report_to="none"
    )
    theirs = Trainer(
        torch.nn.Linear(1, 1), settings, train_dataset=list(range(11)), data_collator=list
    ).get_train_dataloader()
    plan = StepPlan(sizes=tuple(sizes(*[1] * 11)), rows_per_step=4, max_rows=4, seed=7)
    for epoch in (0, 1):
        theirs.set_epoch(epoch)
        ours = [row for _, processes in plan.splits(epoch) for batch in processes[0] for row in batch]
        assert [row for batch in theirs for row in batch] == ours
