"""transformers.Trainer with the preference loss: glue alone. Each override says why it is there.

Nothing here computes what is minimised (`loss.py`) or a log-probability (`models/logprobs.py`).
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainerCallback, TrainingArguments

from blindpo.models.logprobs import response_logps
from blindpo.runs.progress import progress
from blindpo.train.checkpoints import keep_newest, mark_complete
from blindpo.train.collator import BLIND, CHOSEN, REJECTED, Collator, as_sequence_batch
from blindpo.train.config import TrainConfig
from blindpo.train.examples import Example
from blindpo.train.loss import preference_loss
from blindpo.train.metrics import MeanMetrics, MetricsFile, loss_sums, response_sums, split_durations


class PreferenceTrainer(Trainer):  # type: ignore[misc]  # transformers is not typed
    """Trains `model` on examples; `timings` collects the clock times that metrics leave out."""

    loss_is_scaled_for_ga = True  # compute_loss divides by the rows of the whole step

    def __init__(
        self, model: Any, args: TrainingArguments, config: TrainConfig, *,
        train: list[Example], evaluation: list[Example] | None, collator: Collator, metrics: MetricsFile,
    ) -> None:  # fmt: skip
        self.preference = config
        self.metrics_file = metrics
        self.timings: dict[str, float] = {}
        self.training_sums, self.evaluation_sums = MeanMetrics(), MeanMetrics()
        self.keep_checkpoints = args.save_total_limit or 2
        args.save_total_limit = None  # transformers would delete a whole checkpoint before the new one is marked
        super().__init__(model, args, data_collator=collator, train_dataset=train, eval_dataset=evaluation)
        self.model_accepts_loss_kwargs = True  # before 5.10 this says that the loss is scaled
        self.remove_callback(PrinterCallback)  # both print metrics on standard output, which is for results
        self.remove_callback(ProgressCallback)
        self.add_callback(_SaveLast())
        if not args.disable_tqdm:
            self.add_callback(_Bar())

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Any:
        """Rows instead of label tokens: the loss is a mean over rows, however a step is cut into micro-batches."""
        rows = torch.tensor(sum(_num_rows(batch) for batch in batch_samples), device=device)
        # gradients are averaged over processes, so each divides by the mean number of rows
        return self.accelerator.gather(rows).sum() / self.accelerator.num_processes

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The model's own loss is over labels; ours is over pairs."""
        per_row_N = self._per_row_loss(model, inputs, self.training_sums)
        loss = per_row_N.sum() / (len(per_row_N) if num_items_in_batch is None else num_items_in_batch)
        return (loss, {}) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[Tensor, None, None]:
        """The inherited one calls the model with the batch as keyword arguments; ours are pairs."""
        with torch.no_grad(), self.compute_loss_context_manager():
            per_row_N = self._per_row_loss(model, self._prepare_inputs(inputs), self.evaluation_sums)
        return per_row_N.mean(), None, None

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Add the preference metrics where the inherited loop has none: they are sums over rows, not predictions."""
        self.evaluation_sums.clear()
        output = super().evaluation_loop(*args, **kwargs)
        prefix = kwargs.get("metric_key_prefix", "eval")
        output.metrics.update({f"{prefix}_{name}": mean for name, mean in self._means(self.evaluation_sums).items()})
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add our means to a training log, write it to metrics.jsonl, and keep clock times out of both.

        The inherited loss is replaced: it forgets at a resume what was summed since the last log.
        """
        metrics, durations = split_durations(logs)
        self.timings.update(durations)
        if "train_loss" in metrics:  # the closing summary: of this session alone, so not the same after a resume
            return
        if "loss" in metrics:
            metrics.update(self._means(self.training_sums))
            self.training_sums.clear()
        super().log(metrics)
        if self.is_world_process_zero():
            self.metrics_file.append(self.state.log_history[-1])

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """A checkpoint counts with its mark alone, and older ones go only after that."""
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            run = Path(self.args.output_dir)
            mark_complete(run / f"checkpoint-{self.state.global_step}", self.training_sums.sums)
            keep_newest(run, self.keep_checkpoints, self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """The inherited one reads raw tensors by name: of a family whose saved names differ from those in memory (all
        LLaVA-like ones) it loads nothing, warns, and goes on from the base."""
        where = self.model if model is None else model
        if (Path(resume_from_checkpoint) / "adapter_config.json").is_file() or not hasattr(where, "from_pretrained"):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        saved = type(where).from_pretrained(resume_from_checkpoint, dtype=where.dtype, local_files_only=True)
        where.load_state_dict(saved.state_dict())

    def _load_best_model(self) -> None:
        """The inherited one has the same fault."""
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _per_row_loss(self, model: Any, batch: dict[str, Any], sums: MeanMetrics) -> Tensor:
        logps_S = response_logps(model, as_sequence_batch(batch["sequences"])).sums_N
        r_S = self.preference.beta * (logps_S - self._reference(model, batch))
        places = {kind: batch["kind_S"] == kind for kind in (CHOSEN, REJECTED, BLIND)}
        row_S = batch["row_S"]
        terms = preference_loss(
            r_S[places[CHOSEN]],
            r_S[places[REJECTED]],
            row_S[places[REJECTED]],
            blind_r_B=r_S[places[BLIND]],
            blind_row_B=row_S[places[BLIND]],
            use_blind=self.preference.method == "bpo",
        )
        sums.add(loss_sums(terms.per_row_N))
        chosen = (r_S[places[CHOSEN]].detach(), logps_S[places[CHOSEN]].detach())
        for kind, name in ((REJECTED, "rejected"), (BLIND, "blind")):
            where = places[kind]
            found = {"r_K": r_S[where].detach(), "logps_K": logps_S[where].detach(), "row_K": row_S[where]}
            sums.add(response_sums(*chosen, name, **found))
        return terms.per_row_N

    def _reference(self, model: Any, batch: dict[str, Any]) -> Tensor:
        if self.preference.reference == "cached":
            reference_S: Tensor = batch["reference_S"]
            return reference_S
        with torch.no_grad(), self.accelerator.unwrap_model(model).disable_adapter():
            return response_logps(model, as_sequence_batch(batch["sequences"])).sums_N

    def _means(self, sums: MeanMetrics) -> dict[str, float]:
        """Means over the rows of all processes."""
        if self.accelerator.num_processes == 1:
            return sums.means()
        from accelerate.utils import gather_object

        together = MeanMetrics()
        for part in gather_object([sums.sums]):
            together.add(part)
        return together.means()


def _num_rows(batch: dict[str, Any]) -> int:
    return int((batch["kind_S"] == CHOSEN).sum())


class _SaveLast(TrainerCallback):  # type: ignore[misc]
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


class _Bar(TrainerCallback):  # type: ignore[misc]
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
