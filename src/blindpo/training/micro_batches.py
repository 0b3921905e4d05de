"""Plan which rows make an update and how they are split into micro-batches, ahead and the same on every process.

An update holds a fixed number of rows (per_device_train_batch_size x gradient_accumulation_steps x processes). How they
are split changes memory and time, never the loss, which is their mean. Every process runs the same number of
micro-batches, because engines that share weights wait for each other in each one. Rows of similar length go together,
longest first.

On several processes every micro-batch must use every trainable parameter, or the other processes would wait for this
one. A text-only row does not use the vision tower and the projector. So where some rows have images, a micro-batch
without an image also gets a dummy row with one, which adds tokens and nothing else; an empty micro-batch gets one too.

The order of an epoch is the one that transformers and TRL give for the same seed. It depends on seed and epoch alone,
so a run that was killed finds its place again.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypedDict

import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from blindpo.training.collator import Batch, Collator
from blindpo.training.examples import Example

MicroBatch = tuple[int, ...]
"""Numbers of rows that go through the model at once."""


@dataclass(frozen=True, slots=True)
class RowSize:
    """What one row adds to a micro-batch, which is as wide as its widest row: width x number of sequences."""

    width: int
    sequences: int
    real: int
    """Tokens without padding."""
    touches_all: bool = True
    """Whether the row uses every trainable parameter: False for a text among rows with images."""


def size_of(example: Example, *, packed: bool) -> RowSize:
    """The size of one row.

    A prompt of 10 tokens with responses of 3 and 5: packed, one sequence of 18 tokens; separate, two sequences of
    width 15, with 28 tokens in all.
    """
    if packed:
        return RowSize(example.packed_tokens, 1, example.packed_tokens)
    responses = example.responses
    alone = len(example.prompt.input_ids) * (len(responses) - 1)
    return RowSize(example.longest_tokens, len(responses), example.packed_tokens + alone)


def sizes_of(examples: Sequence[Example], *, packed: bool) -> tuple[RowSize, ...]:
    """The sizes of all rows of a set."""
    mixed = mixes_images(examples)
    return tuple(
        replace(size_of(example, packed=packed), touches_all=bool(example.image_key) or not mixed)
        for example in examples
    )


def mixes_images(examples: Sequence[Example]) -> bool:
    """Whether some rows have images and others have none."""
    return len({bool(example.image_key) for example in examples}) == 2


def dummy_of(examples: Sequence[Example], *, num_processes: int) -> Example | None:
    """The shortest row that uses every trainable parameter, with its chosen response alone; None on one process."""
    if num_processes == 1:
        return None
    whole = [example for example in examples if example.image_key] or examples
    shortest = min(whole, key=lambda each: len(each.prompt.input_ids) + len(each.chosen))
    return replace(shortest, rejected=(), blind=(), reference=None)


def padded_tokens(sizes: Sequence[RowSize]) -> int:
    """Tokens of a micro-batch, padding included: widths 18 and 20 of one sequence each are 40."""
    return max((size.width for size in sizes), default=0) * sum(size.sequences for size in sizes)


def with_dummy(rows: MicroBatch, sizes: Sequence[RowSize], dummy: RowSize | None) -> list[RowSize]:
    """The sizes of all that goes through the model: the rows, and the dummy row if none of them touches all."""
    of_rows = [sizes[row] for row in rows]
    if dummy is None or any(size.touches_all for size in of_rows):
        return of_rows
    return [*of_rows, dummy]


def split(
    rows: Sequence[int], sizes: Sequence[RowSize], *,
    num_processes: int, max_rows: int, max_tokens: int | None, dummy: RowSize | None = None,
) -> list[list[MicroBatch]]:  # fmt: skip
    """The micro-batches of each process: as few as the limits allow, and the same number on each process.

    Without `max_tokens` at most `max_rows` rows go together; with it, as many as fit with their dummy row; a single row
    may exceed the limit together with the dummy row. Rows 0, 1, 2 of widths 5, 9, 4 and one sequence each, at most 10
    tokens: [[(1,), (0, 2)]] on one process, [[(1,)], [(0, 2)]] on two, and on three [[(1,)], [(0,)], [(2,)]], since
    each process needs one.
    """

    def tokens(part: MicroBatch) -> int:
        return padded_tokens(with_dummy(part, sizes, dummy))

    parts: list[MicroBatch] = []
    for row in sorted(rows, key=lambda row: -sizes[row].width):  # stable: equal widths keep the epoch's order
        last = parts[-1] if parts else ()
        fits = len(last) < max_rows if max_tokens is None else tokens((*last, row)) <= max_tokens
        if parts and fits:
            parts[-1] = (*last, row)
        else:
            parts.append((row,))
    while len(parts) % num_processes:
        largest = max(range(len(parts)), key=lambda index: (len(parts[index]) > 1, tokens(parts[index])))
        whole = parts[largest]
        half = (len(whole) + 1) // 2
        if half == len(whole):  # every row is alone: a process gets none
            parts.append(())
        else:
            parts[largest : largest + 1] = [whole[:half], whole[half:]]
    return [parts[process::num_processes] for process in range(num_processes)]


@dataclass(frozen=True, slots=True)
class Step:
    """One process' part of an update."""

    micro_batches: tuple[MicroBatch, ...]
    num_rows: int
    """Rows of the whole update, on all processes."""
    with_dummy: tuple[bool, ...]
    """Which micro-batches get the dummy row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """All updates of a run."""

    sizes: tuple[RowSize, ...]
    dummy: RowSize | None = None
    rows_per_step: int
    num_processes: int = 1
    max_rows: int
    max_tokens: int | None = None
    seed: int | None = None
    """The seed of the rows' order; None keeps the order of the data."""
    drop_last: bool = False

    def __len__(self) -> int:
        """Updates of an epoch."""
        whole, rest = divmod(len(self.sizes), self.rows_per_step)
        return max(whole, 1) if self.drop_last else whole + bool(rest)

    def splits(self, epoch: int) -> Iterator[tuple[int, list[list[MicroBatch]]]]:
        """Each update of an epoch: how many rows, and the micro-batches of each process."""
        order = list(range(len(self.sizes)))
        if self.seed is not None:
            order = torch.randperm(len(order), generator=torch.Generator().manual_seed(self.seed + epoch)).tolist()
        for index in range(len(self)):
            rows = order[index * self.rows_per_step : (index + 1) * self.rows_per_step]
            processes = split(
                rows, self.sizes, num_processes=self.num_processes, max_rows=self.max_rows,
                max_tokens=self.max_tokens, dummy=self.dummy,
            )  # fmt: skip
            yield len(rows), processes

    def carried(self, rows: MicroBatch) -> list[RowSize]:
        """All that goes through the model in a micro-batch of `rows`."""
        return with_dummy(rows, self.sizes, self.dummy)

    def tokens(self, rows: MicroBatch) -> int:
        """Tokens of a micro-batch, padding and dummy row included."""
        return padded_tokens(self.carried(rows))

    def step(self, num_rows: int, micro_batches: Sequence[MicroBatch]) -> Step:
        """One process' part of an update."""
        alone = tuple(len(self.carried(rows)) > len(rows) for rows in micro_batches)
        return Step(tuple(micro_batches), num_rows, alone)

    def padding_share(self, num_steps: int) -> float:
        """The share of padding and dummy rows among all tokens of the first `num_steps` updates, on all processes."""
        real = padded = done = 0
        for epoch in range(math.ceil(num_steps / len(self))):
            for _, processes in self.splits(epoch):
                if done == num_steps:
                    break
                for micro_batch in (each for process in processes for each in process):
                    real += sum(self.sizes[row].real for row in micro_batch)
                    padded += self.tokens(micro_batch)
                done += 1
        return 1 - real / padded if padded else 0.0


class Update(TypedDict):
    """One process' part of an update, which is what the data loader yields."""

    num_rows: int
    """Rows of the whole update, on all processes."""
    micro_batches: list[Batch | Callable[[], Batch]]
    """Made already, or to be made when it is their turn."""


class StepRows(Dataset[Update]):
    """Makes the batches of a step. The main process makes each micro-batch when its turn comes, so that one is in
    memory at a time; a data loader's worker makes them all ahead."""

    def __init__(self, examples: Sequence[Example], collator: Collator, *, dummy: Example | None) -> None:
        self.examples = examples
        self.collator = collator
        self.dummy = dummy

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, step: Step) -> Update:
        in_worker = get_worker_info() is not None
        micro_batches: list[Batch | Callable[[], Batch]] = []
        for rows, alone in zip(step.micro_batches, step.with_dummy, strict=True):
            make = partial(self.collator, [self.examples[row] for row in rows], self.dummy if alone else None)
            micro_batches.append(make() if in_worker else make)
        return {"num_rows": step.num_rows, "micro_batches": micro_batches}


class _StepSampler(Sampler[list[Step]]):
    """One process' steps of an epoch, each as a batch of one."""

    def __init__(self, plan: StepPlan, process: int, steps_done: Callable[[], int]) -> None:
        self._plan, self._process, self._steps_done = plan, process, steps_done

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[list[Step]]:
        for num_rows, processes in self._plan.splits(self._steps_done() // len(self)):
            yield [self._plan.step(num_rows, processes[self._process])]


def step_loader(
    rows: StepRows, plan: StepPlan, *, process: int, steps_done: Callable[[], int], **options: Any
) -> DataLoader[Update]:
    """One batch per update. `steps_done` gives the number of updates so far, from which the epoch follows; `options` go
    to the DataLoader."""
    sampler = _StepSampler(plan, process, steps_done)
    return DataLoader(rows, batch_sampler=sampler, collate_fn=_only, **options)


def _only(batch: list[Update]) -> Update:
    return batch[0]
