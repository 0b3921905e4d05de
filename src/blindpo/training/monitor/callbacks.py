"""What transformers' loop calls back: saves behind logs, a bar, warnings of `health.py`, probes of `probe.py`.

Glue alone. What is said is a function of the logged records, so a resumed run says and stores the same.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback

from blindpo.jobs.progress import progress
from blindpo.models.vlm.load import Vlm
from blindpo.training.monitor.health import WINDOW, window_warnings
from blindpo.training.monitor.image_use import ProbeRow, probe
from blindpo.training.monitor.metrics import MetricsFile

Say = Callable[[str], None]


def say(line: str) -> None:
    """One line on standard error: standard output is for results."""
    sys.stderr.write(f"{line}\n")


class HealthWatch(TrainerCallback):  # type: ignore[misc]
    """Says a warning when it first holds in this session; all of them stand in the manifest and the card at the end."""

    def __init__(self, tell: Say, *, at_start: str) -> None:
        self._tell, self._at_start = tell, at_start
        self._said: set[str] = set()

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look at the last logs."""
        if not state.is_world_process_zero:
            return
        window = [record for record in state.log_history if "loss" in record][-WINDOW:]
        for warned in window_warnings(window, at_start=self._at_start):
            if warned.kind not in self._said:
                self._said.add(warned.kind)
                self._tell(f"WARNING at step {warned.step}: {warned.text}")


class ProbeWatch(TrainerCallback):  # type: ignore[misc]
    """Probes the model before the first step, every so many steps and after the last, into probes.jsonl."""

    def __init__(self, vlm: Vlm, rows: Sequence[ProbeRow], *, every: int, file: MetricsFile, tell: Say) -> None:
        self._vlm, self._rows, self._every, self._file, self._tell = vlm, rows, every, file, tell

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The model as it was before training; a resumed run has it already."""
        if state.global_step == 0:
            self._probe(state, kwargs["model"])

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """At its steps, and at the last."""
        if state.global_step % self._every == 0 or state.global_step == state.max_steps:
            self._probe(state, kwargs["model"])

    def _probe(self, state: Any, model: Any) -> None:
        """On every process, since sharded models need all of them; the first one writes."""
        found = probe(Vlm(model, self._vlm.processor, self._vlm.source, self._vlm.fingerprint), self._rows)
        if state.is_world_process_zero:
            self._file.append(found.to_json(state.global_step))
            shown = ", ".join(f"{name.removeprefix('probe/')} {value:.3f}" for name, value in found.means.items())
            self._tell(f"probe at step {state.global_step}: {shown}")


class SaveLast(TrainerCallback):  # type: ignore[misc]
    """Moves a save behind the logs and evaluations of the same step: what is logged after a save, a resume loses."""

    def __init__(self) -> None:
        self._owed = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """At the last step of an epoch evaluation by epoch is still to come."""
        last = control.should_training_stop or state.epoch == round(state.epoch)
        if control.should_save and last:
            control.should_save, self._owed = False, True
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Now it may be saved."""
        if self._owed:
            control.should_save, self._owed = True, False
        return control


class Bar(TrainerCallback):  # type: ignore[misc]
    """Steps and the time left, on standard error."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Show the bar, at the resumed step."""
        self._context = progress(state.max_steps, "steps", done=state.global_step)
        self._bar = self._context.__enter__()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """One step on."""
        self._bar.update(1)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the bar away."""
        self._context.__exit__(None, None, None)
