"""Try the longest batch before the first step, so that a run that does not fit into memory fails at once.

One forward and one backward pass. Nothing that a result depends on changes: gradients are thrown away, metrics go
nowhere, random states are put back. Peak memory is measured by CUDA's own counter; on a CPU it is the growth of the
process's resident size, sampled. Sizes and times go to timings.json, since they depend on the machine.
"""

import gc
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from blindpo.errors import TrainingError
from blindpo.training.examples import Example
from blindpo.training.launch import TrainEngine
from blindpo.training.micro_batches import MicroBatch, StepPlan
from blindpo.training.monitor.callbacks import Say
from blindpo.training.monitor.health import start_warning
from blindpo.training.monitor.metrics import MeanMetrics
from blindpo.training.preflight.memory import MIB, free_bytes, memory_plan, plan_lines, shape_of, time_lines
from blindpo.training.trainer import PreferenceTrainer

SAMPLE_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Time and memory that the longest batch took."""

    seconds: float
    peak_bytes: int
    """Growth over what was in use before."""
    row_ids: tuple[str, ...]


def run_trial(
    model: nn.Module, loss_of: Callable[[], torch.Tensor], *, row_ids: Sequence[str], backward: bool
) -> Trial:
    """Time and peak memory of `loss_of` and, with `backward`, of its gradients, which are dropped.

    Raises TrainingError with the rows and what to do where it does not fit.
    """
    device = next(model.parameters()).device
    start = time.perf_counter()
    try:
        with _random_states(device), _peak_memory(device) as peak:
            loss = loss_of()
            if backward:
                loss.backward()  # type: ignore[no-untyped-call]
            del loss
            if device.type == "cuda":
                torch.cuda.synchronize(device)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(_too_large(row_ids)) from error
    except RuntimeError as error:  # a CPU's allocator has no class of its own
        if "not enough memory" not in str(error) and "can't allocate memory" not in str(error):
            raise
        raise TrainingError(_too_large(row_ids)) from error
    finally:
        model.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - start
    gc.collect()
    return Trial(seconds=seconds, peak_bytes=peak[0], row_ids=tuple(row_ids))


def _too_large(row_ids: Sequence[str]) -> str:
    return (
        f"the longest batch does not fit into memory; its rows: {', '.join(row_ids)}. Set gradient_checkpointing=true, "
        "fewer rows or tokens per micro-batch, a lower max_length, lora=true, or launch on more devices (docs/scale.md)"
    )


@contextmanager
def _random_states(device: torch.device) -> Iterator[None]:
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def _peak_memory(device: torch.device) -> Iterator[list[int]]:
    """A list of one number, which is the growth at its peak once the block is over."""
    peak = [0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield peak
        peak[0] = torch.cuda.max_memory_allocated(device) - before
        return
    import psutil

    process = psutil.Process()
    before, stop = process.memory_info().rss, threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


class MemoryWatch(TrainerCallback):  # type: ignore[misc]
    """Estimates memory and time, and tries the longest batch, when the loop is about to begin (or to go on)."""

    def __init__(self, trainer: PreferenceTrainer, engine: TrainEngine, tell: Say) -> None:
        self._trainer, self._engine, self._tell = trainer, engine, tell

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Every process tries the same batch: those that share gradients wait for each other."""
        trainer, plan = self._trainer, self._trainer.step_plan()
        longest = longest_micro_batch(plan, state.max_steps)
        tokens = plan.tokens(longest)
        examples = [trainer.train_dataset[row] for row in longest]
        dummy = trainer.dummy_row(trainer.train_dataset) if len(plan.carried(longest)) > len(longest) else None
        along = [] if dummy is None else [dummy.chosen]
        head = sum(len(response) for example in examples for response in (*example.responses, *along))
        self._say_plan(tokens, head, args)
        sums, names = MeanMetrics(), [each.row.row_id for each in examples]
        trial = run_trial(
            trainer.model_wrapped, lambda: self._loss(examples, dummy, sums), row_ids=names,
            backward=not self._engine.name.startswith("zero"),  # DeepSpeed would keep the gradients
        )  # fmt: skip
        left = state.max_steps - state.global_step
        whole = round(all_tokens(plan) / len(plan) * left / self._engine.processes)
        for line in time_lines({"trial": trial.seconds}, tokens=tokens, all_tokens=whole, steps=left):
            self._tell(line)
        self._tell(f"peak memory of the trial: {trial.peak_bytes / MIB:,.0f} MiB over what was in use")
        trainer.timings |= {"trial_seconds": trial.seconds, "trial_peak_mib": trial.peak_bytes / MIB}
        warning = start_warning(sums.means()) if state.global_step == 0 else None
        if warning is not None:
            self._tell(f"WARNING: {warning}")

    def _say_plan(self, tokens: int, head: int, args: TrainingArguments) -> None:
        model = self._trainer.model
        half = bool(args.bf16 or args.fp16)
        shape = shape_of(model, checkpointing=bool(args.gradient_checkpointing), half=half)
        optim = str(getattr(args.optim, "value", args.optim))
        needed = memory_plan(shape, optim=optim, tokens=tokens, response_tokens=head, engine=self._engine)
        parameters = list(model.parameters())
        trained, total = (sum(p.numel() for p in ps) for ps in ([p for p in parameters if p.requires_grad], parameters))
        for line in plan_lines(
            needed, self._engine, free=free_bytes(self._engine.device), trained=trained, total=total
        ):
            self._tell(line)
        self._trainer.timings |= {f"plan_{name}_mib": size for name, size in needed.to_mib().items()}

    def _loss(self, examples: Sequence[Example], dummy: Example | None, sums: MeanMetrics) -> Tensor:
        trainer = self._trainer
        model = trainer.model_wrapped
        was_training = model.training
        model.train()  # checkpointing works in training mode alone; there is no dropout
        loss = trainer.row_losses(model, trainer.collator(examples, dummy), sums).loss(len(examples))
        model.train(was_training)
        return loss


def longest_micro_batch(plan: StepPlan, num_steps: int) -> MicroBatch:
    """The micro-batch with the most tokens, padding and dummy row included, in all epochs of a run: each epoch shuffles
    the rows anew."""
    epochs = range(math.ceil(num_steps / len(plan)))
    updates = (update for epoch in epochs for update in plan.splits(epoch))
    parts = (part for _, processes in updates for process in processes for part in process if part)
    return max(parts, key=plan.tokens)


def all_tokens(plan: StepPlan) -> int:
    """Tokens of an epoch with padding, on all processes."""
    parts = (part for _, processes in plan.splits(0) for process in processes for part in process)
    return sum(plan.tokens(part) for part in parts)
