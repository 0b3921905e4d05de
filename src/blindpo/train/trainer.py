"""A thin subclass of transformers.Trainer: our loss, our batches, our log; everything else is theirs."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from blindpo.models.logprobs import response_logps
from blindpo.train.checkpoints import mark_complete
from blindpo.train.collator import num_rows, sequences
from blindpo.train.examples import BLIND, CHOSEN, REJECTED
from blindpo.train.loss import LossTerms, preference_loss
from blindpo.train.metrics import Means, record

CLOCK = ("runtime", "per_second", "total_flos")


class PreferenceTrainer(Trainer):  # type: ignore[misc]  # transformers is not followed by mypy
    """Minimises the mean over rows of `preference_loss`."""

    # Our loss is divided by the rows of the whole step already, so micro-batches must not be averaged again.
    loss_is_scaled_for_ga = True

    def __init__(self, *, beta: float, metrics_path: Path, **known: Any) -> None:
        super().__init__(**known)
        self.beta = beta
        self.metrics_path = metrics_path
        self.means = Means()
        self.clock: dict[str, float] = {}

    def _get_num_items_in_batch(self, batch_samples: Sequence[Mapping[str, Any]], device: torch.device) -> Tensor:
        """Why: theirs counts label tokens; the loss is a mean over the rows of a step, however it is split."""
        count = torch.tensor(sum(num_rows(batch) for batch in batch_samples), device=device)
        if self.args.world_size > 1:
            # DDP averages gradients over ranks, so each rank divides by its share of all rows.
            count = self.accelerator.gather(count).sum() / self.args.world_size
        return count

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Why: the loss compares responses of a row with each other."""
        terms = self._forward(model, inputs, self.means)
        loss = terms.total.sum() / (num_rows(inputs) if num_items_in_batch is None else num_items_in_batch)
        return (loss, {}) if return_outputs else loss

    def _forward(self, model: Any, inputs: Mapping[str, Any], means: Means) -> LossTerms:
        """Score all responses of a batch, compare them, and add to `means`."""
        logps = response_logps(model, sequences(inputs)).sums_N
        reference = inputs["reference_S"] if "reference_S" in inputs else self._adapter_off(model, inputs)
        rewards = self.beta * (logps - reference.to(logps))
        kind, row = inputs["kind_S"], inputs["row_S"]
        terms = preference_loss(
            rewards[kind == CHOSEN],
            rewards[kind == REJECTED],
            row[kind == REJECTED],
            blind=rewards[kind == BLIND],
            blind_row=row[kind == BLIND],
        )
        record(means, terms, rewards=rewards.detach(), logps=logps.detach(), kind=kind, row=row)
        return terms

    def _adapter_off(self, model: Any, inputs: Mapping[str, Any]) -> Tensor:
        """The reference is the same model with its adapter turned off."""
        unwrapped = self.accelerator.unwrap_model(model)
        with torch.no_grad(), unwrapped.disable_adapter():
            return response_logps(unwrapped, sequences(inputs)).sums_N

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Why: theirs wants labels and predictions; we want the training metrics on other rows."""
        means = Means()
        model = self._wrap_model(self.model, training=False)
        model.eval()
        for batch in self.get_eval_dataloader(eval_dataset):
            with torch.no_grad(), self.compute_loss_context_manager():
                self._forward(model, self._prepare_inputs(batch), means)
        metrics = means.take(f"{metric_key_prefix}_")
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Why: adds our means, keeps clock times out of metrics.jsonl, and writes that file."""
        if "loss" in logs:
            logs = {**logs, **self.means.take()}
        self.clock.update({name: value for name, value in logs.items() if any(word in name for word in CLOCK)})
        kept = {name: value for name, value in logs.items() if name not in self.clock}
        super().log(dict(kept), start_time)
        if self.is_world_process_zero() and kept and kept.keys() != {"train_loss", "epoch"}:
            with self.metrics_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": self.state.global_step, **kept}, sort_keys=True) + "\n")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Why: a checkpoint counts only with a mark that is written last."""
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            lines = len(self.metrics_path.read_text().splitlines()) if self.metrics_path.is_file() else 0
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            mark_complete(folder, {"means": self.means.state(), "metrics_lines": lines})
