"""Which rows make an update, and how they are cut into micro-batches: planned ahead, the same on every process.

An update holds a fixed number of rows (per_device_train_batch_size x gradient_accumulation_steps x processes); how
they are cut changes memory and time, never the loss, which is their mean. Every process runs the same number of
micro-batches: engines that share weights wait for each other in each. Rows of like length go together, longest first.

On several processes each micro-batch has to touch all that trains, or the others would wait for this one there. A text
does not touch the vision tower and the projector. So where some rows have pictures, a micro-batch without any takes a
row with one along, the companion, which counts for nothing but tokens; and so does a micro-batch without any row.

The order of an epoch is the one that transformers and TRL give for the same seed. It depends on seed and epoch alone,
so a run that was killed finds its place again.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from blindpo.training.collator import Collator
from blindpo.training.examples import Example

MicroBatch = tuple[int, ...]
"""Numbers of rows that go through the model at once."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one row adds to a micro-batch, which is as wide as its widest row: width x number of sequences."""

    width: int
    sequences: int
    real: int
    """Tokens without padding."""
    touches_all: bool = True
    """False for a text among rows with pictures."""


def size_of(example: Example, *, packed: bool) -> Size:
    """A prompt of 10 tokens with responses of 3 and 5: packed one sequence of 18, else two of 15, of 28 tokens."""
    if packed:
        return Size(example.packed_tokens, 1, example.packed_tokens)
    responses = example.responses
    alone = len(example.prompt.input_ids) * (len(responses) - 1)
    return Size(example.longest_tokens, len(responses), example.packed_tokens + alone)


def sizes_of(examples: Sequence[Example], *, packed: bool) -> tuple[Size, ...]:
    """The sizes of all rows of a set."""
    pictured = mixes_pictures(examples)
    return tuple(
        replace(size_of(example, packed=packed), touches_all=bool(example.image_key) or not pictured)
        for example in examples
    )


def mixes_pictures(examples: Sequence[Example]) -> bool:
    """Whether some rows have pictures and others none."""
    return len({bool(example.image_key) for example in examples}) == 2


def companion_of(examples: Sequence[Example], *, num_processes: int) -> Example | None:
    """The shortest row that touches all that trains, with its chosen response alone; None on one process."""
    if num_processes == 1:
        return None
    whole = [example for example in examples if example.image_key] or examples
    shortest = min(whole, key=lambda each: len(each.prompt.input_ids) + len(each.chosen))
    return replace(shortest, rejected=(), blind=(), reference=None)


def padded_tokens(sizes: Sequence[Size]) -> int:
    """Tokens of a micro-batch, padding included: widths 18 and 20 of one sequence each are 40."""
    return max((size.width for size in sizes), default=0) * sum(size.sequences for size in sizes)


def with_companion(rows: MicroBatch, sizes: Sequence[Size], companion: Size | None) -> list[Size]:
    """All that goes through the model: the rows, and the companion, where there is one, if no row touches all."""
    found = [sizes[row] for row in rows]
    alone = companion is not None and not any(size.touches_all for size in found)
    return [*found, companion] if alone and companion is not None else found


def cut(
    rows: Sequence[int], sizes: Sequence[Size], *,
    num_processes: int, max_rows: int, max_tokens: int | None, companion: Size | None = None,
) -> list[list[MicroBatch]]:  # fmt: skip
    """The micro-batches of each process: as few as the limits allow, and as many on each.

    Without `max_tokens` at most `max_rows` rows go together; with it, as many as fit, the companion included; a row
    that is alone with the companion may be too long with it. Rows 0, 1, 2 of widths 5, 9, 4
    and one sequence each, at most 10 tokens: [[(1,), (0, 2)]] on one process, [[(1,)], [(0, 2)]] on two; on three
    [[(1,)], [(0,)], [(2,)]], since each has to have one.
    """

    def tokens(part: MicroBatch) -> int:
        return padded_tokens(with_companion(part, sizes, companion))

    made: list[MicroBatch] = []
    for row in sorted(rows, key=lambda row: -sizes[row].width):  # stable: equal widths keep the epoch's order
        last = made[-1] if made else ()
        fits = len(last) < max_rows if max_tokens is None else tokens((*last, row)) <= max_tokens
        if made and fits:
            made[-1] = (*last, row)
        else:
            made.append((row,))
    while len(made) % num_processes:
        largest = max(range(len(made)), key=lambda place: (len(made[place]) > 1, tokens(made[place])))
        whole = made[largest]
        half = (len(whole) + 1) // 2
        if half == len(whole):  # every row is alone: a process gets none
            made.append(())
        else:
            made[largest : largest + 1] = [whole[:half], whole[half:]]
    return [made[process::num_processes] for process in range(num_processes)]


@dataclass(frozen=True, slots=True)
class Step:
    """One process' part of an update."""

    micro_batches: tuple[MicroBatch, ...]
    num_rows: int
    """Rows of the whole update, on all processes."""
    with_companion: tuple[bool, ...]
    """Which micro-batches take the companion along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """All updates of a run."""

    sizes: tuple[Size, ...]
    companion: Size | None = None
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
            made = cut(
                rows, self.sizes, num_processes=self.num_processes, max_rows=self.max_rows,
                max_tokens=self.max_tokens, companion=self.companion,
            )  # fmt: skip
            yield len(rows), made

    def carried(self, rows: MicroBatch) -> list[Size]:
        """All that goes through the model in a micro-batch of `rows`."""
        return with_companion(rows, self.sizes, self.companion)

    def tokens(self, rows: MicroBatch) -> int:
        """Tokens of a micro-batch, padding and companion included."""
        return padded_tokens(self.carried(rows))

    def step(self, num_rows: int, micro_batches: Sequence[MicroBatch]) -> Step:
        """One process' part of an update, told which micro-batches take the companion along."""
        alone = tuple(len(self.carried(rows)) > len(rows) for rows in micro_batches)
        return Step(tuple(micro_batches), num_rows, alone)

    def padding_share(self, num_steps: int) -> float:
        """The share of padding, and of companions, among all tokens of the first `num_steps` updates, on all
        processes."""
        real = padded = done = 0
        for epoch in range(math.ceil(num_steps / len(self))):
            for _, processes in self.cuts(epoch):
                if done == num_steps:
                    break
                for micro_batch in (each for process in processes for each in process):
                    real += sum(self.sizes[row].real for row in micro_batch)
                    padded += self.tokens(micro_batch)
                done += 1
        return 1 - real / padded if padded else 0.0


class StepRows(Dataset[dict[str, Any]]):
    """Steps to batches. In the main process a micro-batch is made when it is needed, so that one is in memory at a
    time; a data loader's worker makes them all ahead."""

    def __init__(self, examples: Sequence[Example], collator: Collator, *, companion: Example | None) -> None:
        self.examples = examples
        self.collator = collator
        self.companion = companion

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, step: Step) -> dict[str, Any]:
        makers = [
            partial(self.collator, [self.examples[row] for row in rows], self.companion if alone else None)
            for rows, alone in zip(step.micro_batches, step.with_companion, strict=True)
        ]
        made = [make() for make in makers] if get_worker_info() is not None else makers
        return {"num_rows": step.num_rows, "micro_batches": made}


class _StepSampler(Sampler[list[Step]]):
    """One process' steps of an epoch, each as a batch of one."""

    def __init__(self, plan: StepPlan, process: int, steps_done: Callable[[], int]) -> None:
        self._plan, self._process, self._steps_done = plan, process, steps_done

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[list[Step]]:
        for num_rows, processes in self._plan.cuts(self._steps_done() // len(self)):
            yield [self._plan.step(num_rows, processes[self._process])]


def step_loader(
    rows: StepRows, plan: StepPlan, *, process: int, steps_done: Callable[[], int], **options: Any
) -> DataLoader[dict[str, Any]]:
    """One batch an update. `steps_done` gives the updates done so far, from which the epoch follows; `options` go to
    the DataLoader."""
    sampler = _StepSampler(plan, process, steps_done)
    return DataLoader(rows, batch_sampler=sampler, collate_fn=_only, **options)


def _only(batch: list[dict[str, Any]]) -> dict[str, Any]:
    return batch[0]
