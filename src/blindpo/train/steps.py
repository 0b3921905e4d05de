"""Which rows make an update, and how they are cut into micro-batches: planned ahead, the same on every process.

An update holds a fixed number of rows (per_device_train_batch_size x gradient_accumulation_steps x processes); how
they are cut changes memory and time, never the loss, which is their mean. Every process runs the same number of
micro-batches: engines that share weights wait for each other in each. Rows of like length go together, longest first.

The order of an epoch is the one that transformers and TRL give for the same seed. It depends on seed and epoch alone,
so a run that was killed finds its place again.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from blindpo.train.collator import Collator
from blindpo.train.examples import Example

MicroBatch = tuple[int, ...]
"""Numbers of rows that go through the model at once."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one row adds to a micro-batch, which is as wide as its widest row: width x number of sequences."""

    width: int
    sequences: int
    real: int
    """Tokens without padding."""


def size_of(example: Example, *, packed: bool) -> Size:
    """A prompt of 10 tokens with responses of 3 and 5: packed one sequence of 18, else two of 15, of 28 tokens."""
    if packed:
        return Size(example.packed_tokens, 1, example.packed_tokens)
    responses = example.responses
    alone = len(example.prompt.input_ids) * (len(responses) - 1)
    return Size(example.longest_tokens, len(responses), example.packed_tokens + alone)


def padded_tokens(sizes: Sequence[Size]) -> int:
    """Tokens of a micro-batch, padding included: widths 18 and 20 of one sequence each are 40."""
    return max((size.width for size in sizes), default=0) * sum(size.sequences for size in sizes)


def cut(
    rows: Sequence[int], sizes: Sequence[Size], *, num_processes: int, max_rows: int, max_tokens: int | None
) -> list[list[MicroBatch]]:
    """The micro-batches of each process: as few as the limits allow, and as many on each.

    Without `max_tokens` at most `max_rows` rows go together; with it, as many as fit. Rows 0, 1, 2 of widths 5, 9, 4
    and one sequence each, at most 10 tokens: [[(1,), (0, 2)]] on one process, [[(1,)], [(0, 2)]] on two; on three
    [[(1,)], [(0,)], [(2,)]], since each has to have one.
    """
    made: list[MicroBatch] = []
    for row in sorted(rows, key=lambda row: -sizes[row].width):  # stable: equal widths keep the epoch's order
        last = made[-1] if made else ()
        fits = len(last) < max_rows if max_tokens is None else _tokens((*last, row), sizes) <= max_tokens
        if made and fits:
            made[-1] = (*last, row)
        else:
            made.append((row,))
    while len(made) % num_processes:
        largest = max(range(len(made)), key=lambda place: (len(made[place]) > 1, _tokens(made[place], sizes)))
        whole = made[largest]
        half = (len(whole) + 1) // 2
        if half == len(whole):  # every row is alone: a process gets none
            made.append(())
        else:
            made[largest : largest + 1] = [whole[:half], whole[half:]]
    return [made[process::num_processes] for process in range(num_processes)]


def _tokens(rows: MicroBatch, sizes: Sequence[Size]) -> int:
    return padded_tokens([sizes[row] for row in rows])


@dataclass(frozen=True, slots=True)
class Step:
    """One process' part of an update."""

    micro_batches: tuple[MicroBatch, ...]
    num_rows: int
    """Rows of the whole update, on all processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """All updates of a run."""

    sizes: tuple[Size, ...]
    rows_per_step: int
    num_processes: int = 1
    max_rows: int
    max_tokens: int | None = None
    seed: int | None = None
    """Of the order; None keeps the order of the data."""
    drop_last: bool = False

    def __len__(self) -> int:
        """Updates of an epoch."""
        whole, rest = divmod(len(self.sizes), self.rows_per_step)
        return max(whole, 1) if self.drop_last else whole + bool(rest)

    def cuts(self, epoch: int) -> Iterator[tuple[int, list[list[MicroBatch]]]]:
        """Each update of an epoch: how many rows, and the micro-batches of each process."""
        order = list(range(len(self.sizes)))
        if self.seed is not None:
            order = torch.randperm(len(order), generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
        for place in range(len(self)):
            rows = order[place * self.rows_per_step : (place + 1) * self.rows_per_step]
            yield (
                len(rows),
                cut(
                    rows,
                    self.sizes,
                    num_processes=self.num_processes,
                    max_rows=self.max_rows,
                    max_tokens=self.max_tokens,
                ),
            )

    def padding_share(self, num_steps: int) -> float:
        """The share of padding among all tokens of the first `num_steps` updates, on all processes."""
        real = padded = done = 0
        for epoch in range(math.ceil(num_steps / len(self))):
            for _, processes in self.cuts(epoch):
                if done == num_steps:
                    break
                for micro_batch in (each for process in processes for each in process):
                    real += sum(self.sizes[row].real for row in micro_batch)
                    padded += _tokens(micro_batch, self.sizes)
                done += 1
        return 1 - real / padded if padded else 0.0


class StepRows(Dataset[dict[str, Any]]):
    """Steps to batches. In the main process a micro-batch is made when it is needed, so that one is in memory at a
    time; a data loader's worker makes them all ahead."""

    def __init__(self, examples: Sequence[Example], collator: Collator, *, num_processes: int) -> None:
        self.examples = examples
        self.collator = collator
        self.num_processes = num_processes
        pictured = [example for example in examples if example.image_key]
        self._mixed = 0 < len(pictured) < len(examples)
        needed = self._mixed or num_processes > 1
        collator.companion = min(pictured or examples, key=lambda each: each.longest_tokens) if needed else None

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, step: Step) -> dict[str, Any]:
        parts = [[self.examples[row] for row in rows] for rows in step.micro_batches]
        makers = [
            partial(self.collator, part, with_companion=alone)
            for part, alone in zip(parts, self._companions(parts), strict=True)
        ]
        made = [make() for make in makers] if get_worker_info() is not None else makers
        return {"num_rows": step.num_rows, "micro_batches": made}

    def _companions(self, parts: Sequence[Sequence[Example]]) -> list[bool]:
        """Which micro-batches take a row along that counts for nothing, for its picture's sake.

        A text-only micro-batch does not touch the vision tower and the projector. On several processes the others
        would wait for this one there; on one process an optimizer would pass the projector over in an update without
        pictures, but not on several. So where some rows have pictures, each micro-batch (or, on one process, each
        update) has one; and a micro-batch without any row has something to run.
        """
        without = [not any(example.image_key for example in part) for part in parts]
        if self.num_processes == 1:
            last = len(parts) - 1
            return [self._mixed and all(without) and place == last for place in range(len(parts))]
        return [not part or (self._mixed and alone) for part, alone in zip(parts, without, strict=True)]


class _StepSampler(Sampler[list[Step]]):
    """One process' steps of an epoch, each as a batch of one."""

    def __init__(self, plan: StepPlan, process: int, steps_done: Callable[[], int]) -> None:
        self._plan, self._process, self._steps_done = plan, process, steps_done

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[list[Step]]:
        for num_rows, processes in self._plan.cuts(self._steps_done() // len(self)):
            yield [Step(tuple(processes[self._process]), num_rows)]


def step_loader(
    rows: StepRows, plan: StepPlan, *, process: int, steps_done: Callable[[], int], **options: Any
) -> DataLoader[dict[str, Any]]:
    """One batch an update. `steps_done` gives the updates done so far, from which the epoch follows; `options` go to
    the DataLoader."""
    sampler = _StepSampler(plan, process, steps_done)
    return DataLoader(rows, batch_sampler=sampler, collate_fn=_only, **options)


def _only(batch: list[dict[str, Any]]) -> dict[str, Any]:
    return batch[0]
