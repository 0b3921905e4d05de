"""Make shards in this process, in several processes on this machine, or on a Ray cluster, with the same bytes.

An engine only maps a job over shard numbers: order, errors, resume and files are up to the job, so that a killed run
continues on any engine. Workers are new processes (`spawn`): threads of a parent that has loaded torch do not survive
a fork. A worker that loses its parent ends at once, since two runs must not write one folder.
"""

import importlib.util
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait as wait_for_any
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from blindpo.errors import BlindpoError, ConfigError

_T = TypeVar("_T")
Make = Callable[[int], _T]
"""Makes one shard, given its number."""


class WorkerDiedError(BlindpoError):
    """A worker process was killed, mostly for lack of memory; the same command continues where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """How shards are made; no file depends on it."""

    name: Literal["local", "ray"] = "local"
    workers: int = 1
    """Processes (local) or actors (ray) at a time."""

    def __post_init__(self) -> None:
        """Raise ConfigError for an engine that cannot run."""
        if self.workers < 1:
            raise ConfigError(f"--workers is {self.workers}; it must be 1 or more")
        if self.name == "ray" and importlib.util.find_spec("ray") is None:
            raise ConfigError("--engine ray needs Ray, which is not installed: pip install 'blindpo[ray]'")

    def map(self, job: Make[_T], numbers: Sequence[int]) -> Iterator[_T]:
        """Yield the job's result for each number, in any order; its errors are raised here."""
        if self.name == "ray":
            return _map_on_ray(job, numbers, self.workers)
        if self.workers == 1 or len(numbers) < 2:
            return map(job, numbers)
        return _map_on_processes(job, numbers, self.workers)


IN_PROCESS: Final = Engine()


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_job: Make[Any] | None = None


def _start_worker(job: bytes) -> None:
    global _job
    # set before the job is unpickled, which may import torch, since there may be as many workers as cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _job = pickle.loads(job)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)


def _make(number: int) -> Any:
    if _job is None:
        raise RuntimeError("the worker was not started with a job")
    return _job(number)


def _map_on_processes(job: Make[_T], numbers: Sequence[int], workers: int) -> Iterator[_T]:
    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    size = min(workers, len(numbers))
    pool = ProcessPoolExecutor(size, mp_context=context, initializer=_start_worker, initargs=(pickle.dumps(job),))
    try:
        yield from _in_flight(pool, numbers, 2 * size)
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a worker process died (out of memory, or killed); run the same command again, with fewer --workers"
        ) from error
    except BaseException:
        # a shard may take long, so on Ctrl-C or an error do not wait for it
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _in_flight(pool: ProcessPoolExecutor, numbers: Sequence[int], limit: int) -> Iterator[Any]:
    waiting = iter(numbers)
    running: set[Future[Any]] = {pool.submit(_make, number) for number in islice(waiting, limit)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield future.result()
        running |= {pool.submit(_make, number) for number in islice(waiting, len(done))}


def _map_on_ray(job: Make[_T], numbers: Sequence[int], workers: int) -> Iterator[_T]:
    # Ray is an optional extra, and heavy
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.util import ActorPool

    ours = not ray.is_initialized()
    if ours:
        # $RAY_ADDRESS names an existing cluster; without it Ray starts a local one
        here: dict[str, Any] = (
            {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers, "include_dashboard": False}
        )
        ray.init(log_to_driver=False, logging_level="ERROR", **here)
    try:
        actor: Any = ray.remote(_Actor)
        pool = ActorPool([actor.remote(job, Path.cwd()) for _ in range(min(workers, len(numbers) or 1))])
        yield from pool.map_unordered(lambda worker, number: worker.make.remote(number), numbers)
    except ray.exceptions.RayActorError as error:
        raise WorkerDiedError(
            "a Ray actor died (out of memory, or killed); run the same command again, with fewer --workers"
        ) from error
    finally:
        if ours:
            ray.shutdown()


class _Actor:
    """The class of Ray actors: holds the job, makes shards."""

    def __init__(self, job: Make[Any], folder: Path) -> None:
        os.chdir(folder)  # a job's paths may be relative to the command's folder
        self._job = job

    def make(self, number: int) -> Any:
        """Make shard `number`."""
        return self._job(number)
