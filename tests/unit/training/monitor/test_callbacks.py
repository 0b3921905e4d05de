"""What the callbacks say and when."""

from types import SimpleNamespace
from typing import Any

from blindpo.training.monitor.callbacks import HealthWatch
from blindpo.training.monitor.health import WINDOW
from blindpo.training.monitor.metrics import (
    SHIFT,
)


def records(number: int = WINDOW, **values: float) -> list[dict[str, Any]]:
    return [{"step": step, "loss": 0.5, **values} for step in range(1, number + 1)]


def test_the_watch_says_each_kind_once_and_on_one_process_alone() -> None:
    logs = records(WINDOW, **{SHIFT: -0.3})
    said: list[str] = []
    watch = HealthWatch(said.append, at_start="log 2")
    state = SimpleNamespace(is_world_process_zero=True, log_history=logs[:-1])
    watch.on_log(None, state, None)
    assert said == []
    state.log_history = [*logs, {"step": WINDOW, "eval_loss": 1.0}]
    watch.on_log(None, state, None)
    watch.on_log(None, state, None)
    assert len(said) == 1 and said[0].startswith(f"WARNING at step {WINDOW}: likelihood displacement")
    quiet = HealthWatch(said.append, at_start="log 2")
    quiet.on_log(None, SimpleNamespace(is_world_process_zero=False, log_history=logs), None)
    assert len(said) == 1
