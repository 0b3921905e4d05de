"""What the callbacks say and when."""

from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments

from blindpo.training.monitor.callbacks import HealthWatch
from blindpo.training.monitor.health import HEALTH_WINDOW
from blindpo.training.monitor.metrics import SHIFT


def test_the_watch_says_each_kind_once_and_on_one_process_alone(tmp_path: Any) -> None:
    args, control = TrainingArguments(output_dir=str(tmp_path), use_cpu=True), TrainerControl()
    logs = [{"step": step, "loss": 0.5, SHIFT: -0.3} for step in range(1, HEALTH_WINDOW + 1)]
    lines: list[str] = []
    watch = HealthWatch(lines.append, at_start="log 2")
    state = TrainerState(is_world_process_zero=True, log_history=logs[:-1])
    watch.on_log(args, state, control)
    assert lines == []
    state.log_history = [*logs, {"step": HEALTH_WINDOW, "eval_loss": 1.0}]
    watch.on_log(args, state, control)
    watch.on_log(args, state, control)
    assert len(lines) == 1 and lines[0].startswith(f"WARNING at step {HEALTH_WINDOW}: likelihood displacement")
    quiet = HealthWatch(lines.append, at_start="log 2")
    quiet.on_log(args, TrainerState(is_world_process_zero=False, log_history=logs), control)
    assert len(lines) == 1
