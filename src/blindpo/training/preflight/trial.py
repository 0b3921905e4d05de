"""The longest batch first: one forward and backward pass before the first step, so that what does not fit fails now.

Nothing that a result depends on is changed: gradients are thrown away, metrics go nowhere, random states are put back.
Peak memory is measured: by CUDA's own counter, on a CPU as growth of the process's resident size, sampled.
"""

import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch

from blindpo.errors import TrainingError

SAMPLE_SECONDS: Final = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the longest batch took."""

    seconds: float
    peak_bytes: int
    """Growth over what was in use before."""
    row_ids: tuple[str, ...]


def run_trial(model: Any, loss_of: Callable[[], torch.Tensor], *, row_ids: Sequence[str], backward: bool) -> Trial:
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
        "fewer rows or tokens a micro-batch, a lower max_length, lora=true, or launch over more devices (docs/scale.md)"
    )


@contextmanager
def _random_states(device: torch.device) -> Iterator[None]:
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def _peak_memory(device: torch.device) -> Iterator[list[int]]:
    """A list of one number, which is the growth at its peak once the block is over."""
    found = [0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield found
        found[0] = torch.cuda.max_memory_allocated(device) - before
        return
    import psutil

    process = psutil.Process()
    before, stop = process.memory_info().rss, threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            found[0] = max(found[0], process.memory_info().rss - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
