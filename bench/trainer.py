"""Ours against TRL's DPOTrainer and against our plain path: CPU time, wall time and peak memory of real training steps.

Each variant lives in a process of its own, and the processes take turns, round after round, so that a busy machine
slows all of them alike: trust the ratios. The numbers behind them go to bench/out/trainer.json. Run: `make bench`
(`make bench-full`, about an hour, adds long responses, LoRA, checkpointing, more responses, and growth with size).

What a step's time holds differs, as it does in training: TRL computes its reference, tokenizes and processes images
in each step; ours caches the reference before the first step and makes its tensors once, before the clock. So of the
ratio of steps against TRL a part is the cache, and the ratio of epochs, which counts the caching pass, is beside it.
The ratio against separate sequences, whose reference is cached too, is what packing alone does.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from world import Case, save_model

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
ROUNDS = 5
FULL_ROUNDS = 3
TRL, PLAIN, PACKED = VARIANTS = ("trl", "plain", "packed")
AT_LEAST, AT_MOST = "at least", "at most"
GOALS = {
    "cpu_ratio_vs_trl": (AT_LEAST, 5.0),
    "cpu_ratio_vs_plain": (AT_LEAST, 2.4),
    "memory_ratio_vs_trl": (AT_MOST, 0.25),
    "over_flop_promise": (AT_MOST, 1.10),
}
"""Of the first case."""
MEANINGS = {
    "cpu_ratio_vs_trl": "a step; TRL's has its reference, tokens and pictures in it, ours has them before",
    "epoch_ratio_vs_trl": "the same over one epoch with our caching pass counted, one row at a time",
    "cpu_ratio_vs_plain": "a step; both have the reference cached: packing alone",
    "over_flop_promise": "what counting operations promises over separate sequences, by what was measured",
}
"""What a line of the table compares; those without one are the same in wall time, or memory."""
CASE = Case()
LONGER = {f"responses of {size}": replace(CASE, responses=(size, size, size)) for size in (200, 500)}
MORE = {f"K = {k}": replace(CASE, responses=(60,) * k) for k in (2, 4, 5, 6)}
FULL = {
    **LONGER,
    "LoRA": replace(CASE, lora=True),
    "checkpointing": replace(CASE, checkpointing=True),
    **MORE,
}
GROWTH = {
    **{f"{rows} rows per step": replace(CASE, rows_per_step=rows) for rows in (1, 2, 4)},
    **{f"prompt of {tokens}": replace(CASE, prompt=tokens) for tokens in (626, 1026, 1526)},
}


class Worker:
    """One variant's process; it does what it is told, one line at a time."""

    def __init__(self, variant: str, model: Path, case: Case) -> None:
        read, write = os.pipe()
        words = [sys.executable, str(HERE / "worker.py"), variant, str(model), json.dumps(case.to_json()), str(write)]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=(write,), text=True
        )
        os.close(write)
        self._answers = os.fdopen(read, encoding="utf-8")
        self.start = self._answer()

    def ask(self, command: str) -> dict[str, Any]:
        """`round` trains for a round; `flops` counts a step's."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._answers.close()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise SystemExit("a worker of the bench died; its words stand above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(case: Case, *, variants: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """The raw rounds of a case, and the ratios of their medians."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        model = save_model(case, Path(scratch) / "model")
        workers = {name: stack.enter_context(closing(Worker(name, model, case))) for name in variants}
        found = [worker.ask("round") for _ in range(rounds) for worker in workers.values()]
        caching = workers[PACKED].start["caching_cpu_s"]
        flops = {f"flop_{name}": workers[name].ask("flops")["flops"] for name in variants if name != TRL}
    return {
        "case": case.to_json(),
        "rounds": found,
        "caching_cpu_s_a_row": caching,
        **flops,
        **ratios(found, flops, caching),
    }


def ratios(rounds: list[dict[str, Any]], flops: dict[str, float], caching: float) -> dict[str, float]:
    """Ratios of medians over rounds, as `MEANINGS` says; `caching`: CPU seconds of the caching pass for a row."""

    def median(variant: str, what: str) -> float:
        return statistics.median(each[what] for each in rounds if each["variant"] == variant)

    there = {each["variant"] for each in rounds}
    made: dict[str, float] = {}
    for name in there - {PACKED}:
        made[f"cpu_ratio_vs_{name}"] = median(name, "cpu_s") / median(PACKED, "cpu_s")
        made[f"wall_ratio_vs_{name}"] = median(name, "wall_s") / median(PACKED, "wall_s")
        made[f"memory_ratio_vs_{name}"] = median(PACKED, "peak_rss_growth_mib") / median(name, "peak_rss_growth_mib")
    if TRL in there:
        rows = next(each["rows"] for each in rounds)
        made["epoch_ratio_vs_trl"] = median(TRL, "cpu_s") / (median(PACKED, "cpu_s") + caching * rows)
    if PLAIN in there:
        made["over_flop_promise"] = flops["flop_plain"] / flops["flop_packed"] / made["cpu_ratio_vs_plain"]
    return dict(sorted(made.items()))


def table(name: str, found: dict[str, Any], *, goals: bool = False) -> str:
    """For a person, with `goals` where the case is the one that they are for."""
    lines = [f"{name}: {'variant':<8} {'CPU s per row':>12} {'wall s per row':>13} {'peak growth MiB':>16}   (medians)"]
    for variant in dict.fromkeys(each["variant"] for each in found["rounds"]):
        mine = [each for each in found["rounds"] if each["variant"] == variant]
        cpu, wall = (statistics.median(each[what] / each["rows"] for each in mine) for what in ("cpu_s", "wall_s"))
        peak = statistics.median(each["peak_rss_growth_mib"] for each in mine)
        lines.append(f"{'':{len(name) + 2}}{variant:<8} {cpu:>12.2f} {wall:>13.2f} {peak:>16.0f}")
    keys = [key for key, value in found.items() if isinstance(value, float) and ("ratio" in key or key in GOALS)]
    order = [*(key for key in MEANINGS if key in keys), *(key for key in keys if key not in MEANINGS)]
    for key in order:
        bound, goal = GOALS.get(key, ("", 0.0)) if goals else ("", 0.0)
        words = [f"goal {bound} {goal:g}" if bound else "", MEANINGS.get(key, "")]
        lines.append(f"{'':{len(name) + 2}}{key:<22} {found[key]:.3f}   {'; '.join(filter(None, words))}".rstrip())
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and write bench/out/trainer.json (with --full also bench/out/trainer_full.json)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all cases, not the one of the goals alone")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"interleaved rounds (default {ROUNDS})")
    given = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    found = measure(CASE, variants=VARIANTS, rounds=given.rounds)
    sys.stdout.write(table("full fine-tuning", found, goals=True))
    (OUT / "trainer.json").write_text(json.dumps(found, indent=2) + "\n")
    if not given.full:
        return
    every = {"full fine-tuning": found}
    cases = [*((n, c, VARIANTS) for n, c in FULL.items()), *((n, c, (PACKED,)) for n, c in GROWTH.items())]
    for name, case, variants in cases:
        every[name] = measure(case, variants=variants, rounds=min(given.rounds, FULL_ROUNDS))
        sys.stdout.write(table(name, every[name]))
        sys.stdout.flush()
        (OUT / "trainer_full.json").write_text(json.dumps(every, indent=2) + "\n")


if __name__ == "__main__":
    main()
