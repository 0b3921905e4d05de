"""Runs of `train` on several CPU processes that know each other (gloo), forked, so that torch is imported once."""

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _child(rank: int, world: int, port: int, task: Callable[[int], None]) -> None:
    # what torchrun tells each of its processes
    named = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in named.items()}, MASTER_ADDR="127.0.0.1")
    from accelerate.state import AcceleratorState, PartialState

    AcceleratorState._reset_state(True)  # the parent may have trained in one process before it forked
    PartialState._reset_state()
    task(rank)
    import torch.distributed

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def run_together(task: Callable[[int], None], *, world: int = 2, timeout: float = 120.0) -> list[int | None]:
    """The exit codes of `world` processes that run `task(rank)`; None for one that hangs. A dead one takes the others
    along, as torchrun does."""
    context, port = multiprocessing.get_context("fork"), free_port()
    processes = [context.Process(target=_child, args=(rank, world, port, task)) for rank in range(world)]
    for process in processes:
        process.start()
    left = list(processes)
    while left and timeout > 0:
        left[0].join(0.1)
        timeout -= 0.1
        failed = any(process.exitcode not in (None, 0) for process in processes)
        left = [process for process in left if process.is_alive()]
        if failed:
            timeout = min(timeout, 1.0)
    codes = [process.exitcode for process in processes]
    for process in left:
        process.kill()
        process.join()
    return codes


def die() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def weights_of(out: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: value for file in sorted(out.glob("*.safetensors")) for name, value in load_file(file).items()}
