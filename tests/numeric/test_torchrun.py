"""`blindpo train` as people start it on several processes: torchrun, and accelerate where it starts fewer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.training_rows import row, run_training, write_rows
from tests.two_processes import free_port, weights_of

pytestmark = pytest.mark.slow

OPTIONS = {"max_steps": 4, "learning_rate": 1e-4, "per_device_train_batch_size": 1, "save_strategy": "no"}
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port")
ACCELERATE = ("-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1")


def started(launcher: tuple[str, ...], base: Path, data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    flags = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    words = ["-m", "blindpo", "train", str(data), "--model", str(base), "--out", str(out), *flags, "--json"]
    plain = ["--use_cpu", "true", "--warmup_steps", "0", "--lr_scheduler_type", "linear", "--disable_tqdm", "true"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ACCELERATE_")}
    environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, *launcher, *words, *plain]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=400, check=False)


def test_torchrun_trains_as_one_process_and_speaks_once(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(5)])
    done = started((*TORCHRUN, str(free_port())), base, data, tmp_path / "two")
    assert done.returncode == 0, done.stderr[-2000:]
    printed = json.loads(done.stdout)
    assert (printed["state"], printed["steps"]) == ("new", 4)
    assert json.loads((tmp_path / "two/run.json").read_text())["engine"] == "ddp on 2 processes (cpu)"
    run_training(base, data, tmp_path / "one", **OPTIONS, gradient_accumulation_steps=2)
    ones, twos = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    for name, weight in ones.items():
        assert torch.allclose(weight, twos[name], atol=2e-6), name


def test_accelerate_that_starts_one_of_two_processes_is_refused(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(3)])
    done = started(ACCELERATE, base, data, tmp_path / "run")
    assert done.returncode != 0
    assert "accelerate was asked for several processes and started one" in done.stderr
    assert not (tmp_path / "run").exists()
