"""The callbacks of transformers' loop: progress bar, saves after logs, warnings (`health.py`), probes (`image_use.py`).

Nothing but glue. Messages are a function of the logged records, so a resumed run prints and stores the same.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from blindpo.jobs.progress import progress
from blindpo.models.vlm.load import Vlm
from blindpo.training.monitor.health import HEALTH_WINDOW, window_warnings
from blindpo.training.monitor.image_use import ProbeRow, probe
from blindpo.training.monitor.metrics import MetricsFile

Say = Callable[[str], None]


def say(line: str) -> None:
    """Print one line on standard error; standard output is for results."""
    sys.stderr.write(f"{line}\n")


class HealthWatch(TrainerCallback):  # type: ignore[misc]
    """Prints a warning when it first holds in this session; the manifest and the card list all of them at the end."""

    def __init__(self, tell: Say, *, at_start: str) -> None:
        self._tell, self._at_start = tell, at_start
        self._said: set[str] = set()

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Check the last logs."""
        if not state.is_world_process_zero:
            return
        window = [record for record in state.log_history if "loss" in record][-HEALTH_WINDOW:]
        for warned in window_warnings(window, at_start=self._at_start):
            if warned.kind not in self._said:
                self._said.add(warned.kind)
                self._tell(f"WARNING at step {warned.step}: {warned.text}")


class ProbeWatch(TrainerCallback):  # type: ignore[misc]
    """Probes the model before the first step, every `every` steps and after the last, into probes.jsonl."""

    def __init__(self, vlm: Vlm, rows: Sequence[ProbeRow], *, every: int, file: MetricsFile, tell: Say) -> None:
        self._vlm, self._rows, self._every, self._file, self._tell = vlm, rows, every, file, tell

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Probe the model as it was before training; a resumed run has that already."""
        if state.global_step == 0:
            self._probe(state, kwargs["model"])

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Probe at its steps, and at the last."""
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._probe(state, kwargs["model"])

    def _probe(self, state: TrainerState, model: Any) -> None:
        """Probe on every process, since sharded models need all of them; the first one writes."""
        result = probe(Vlm(model, self._vlm.processor, self._vlm.source, self._vlm.fingerprint), self._rows)
        if state.is_world_process_zero:
            self._file.append(result.to_json(state.global_step))
            shown = ", ".join(f"{name.removeprefix('probe/')} {value:.3f}" for name, value in result.means.items())
            self._tell(f"probe at step {state.global_step}: {shown}")


class SaveLast(TrainerCallback):  # type: ignore[misc]
    """Moves a save after the logs and evaluations of its step: a resume loses what is logged after the save."""

    def __init__(self) -> None:
        self._put_off = False

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> TrainerControl:
        """Put off the save at the last step of an epoch, after which evaluation by epoch is still to come."""
        last = control.should_training_stop or state.epoch == round(state.epoch)
        if control.should_save and last:
            control.should_save, self._put_off = False, True
        return control

    def on_epoch_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> TrainerControl:
        """Save now."""
        if self._put_off:
            control.should_save, self._put_off = True, False
        return control


class Bar(TrainerCallback):  # type: ignore[misc]
    """Shows steps and the time left, on standard error."""

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Show the bar, at the resumed step."""
        self._context = progress(state.max_steps, "steps", done=state.global_step)
        self._bar = self._context.__enter__()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move it on by one step."""
        self._bar.update(1)

    def on_train_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take the bar away."""
        self._context.__exit__(None, None, None)
