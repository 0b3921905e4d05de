"""Run tasks that depend on one another in a few worker processes, one thread each.

Two processes with one thread each finish this story sooner than one with two: the models are so small that threads
would mostly wait for each other. Tasks are started in the given order as soon as their needs are done. Workers exit
when their parent is gone, so a kill leaves no process behind.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from blindpo.jobs.progress import progress

_ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One piece of work: `work` is called with `arguments` in a worker; all must be picklable."""

    name: str
    needs: tuple[str, ...] = ()
    work: Callable[..., dict[str, float]]
    """Returns the seconds of each of its stages."""
    arguments: tuple[object, ...] = ()


def run_tasks(tasks: Sequence[Task], *, num_workers: int, what: str) -> dict[str, dict[str, float]]:
    """Run all tasks and return their results by name. The first failure is raised once the running tasks have ended."""
    done: dict[str, dict[str, float]] = {}
    waiting = list(tasks)
    running: dict[Future[dict[str, float]], Task] = {}
    with _Environment(_ONE_THREAD), progress(len(tasks), what) as bar, _pool(num_workers) as pool:
        while waiting or running:
            for task in [task for task in waiting if all(need in done for need in task.needs)]:
                if len(running) == num_workers:
                    break
                waiting.remove(task)
                running[pool.submit(task.work, *task.arguments)] = task
            assert running, f"these tasks need a task that does not exist: {[task.name for task in waiting]}"
            for future in _first_ended(running):
                task = running.pop(future)
                done[task.name] = future.result()
                bar.update(1)
    return done


def _first_ended(running: Collection[Future[dict[str, float]]]) -> set[Future[dict[str, float]]]:
    try:
        return wait(running, return_when=FIRST_COMPLETED).done
    except KeyboardInterrupt:
        # every step continues from what is on disk, so there is nothing to wait for
        for process in multiprocessing.active_children():
            process.terminate()
        raise


def _pool(num_workers: int) -> ProcessPoolExecutor:
    # spawn, not fork: a forked torch keeps the parent's threads and locks
    return ProcessPoolExecutor(
        num_workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(os.getpid(),)
    )


def _start_worker(parent: int) -> None:
    import torch
    from transformers.utils import logging

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - trainers print, but standard output is only for the result
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


class _Environment:
    """Environment variables for new workers, restored afterwards."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
