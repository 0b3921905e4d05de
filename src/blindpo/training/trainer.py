"""transformers.Trainer with the preference loss: glue alone. Each override says why it is there.

Nothing here computes what is minimised (`loss.py`) or a log-probability (`models/vlm/logprobs.py`).
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, gather_object
from torch import Tensor
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainingArguments

from blindpo.training.collator import BLIND, CHOSEN, COMPANION, REJECTED, Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example
from blindpo.training.loss import Rewards, preference_loss
from blindpo.training.methods import METHODS
from blindpo.training.micro_batches import (
    StepPlan,
    StepRows,
    companion_of,
    mixes_pictures,
    size_of,
    sizes_of,
    step_loader,
)
from blindpo.training.monitor.callbacks import Bar, SaveLast
from blindpo.training.monitor.health import (
    MOMENTS,
    require_finite,
    require_finite_gradients,
    with_correlation,
)
from blindpo.training.monitor.metrics import MeanMetrics, MetricsFile, split_durations
from blindpo.training.monitor.sums import batch_sums
from blindpo.training.output.checkpoints import keep_newest, mark_complete


class PreferenceTrainer(Trainer):  # type: ignore[misc]  # transformers is not typed
    """Trains `model` on examples; `timings` collects the clock times that metrics leave out.

    A batch of transformers' loop is one whole update here: `{"num_rows": ..., "micro_batches": [...]}`. So the loop
    does not accumulate; `training_step` does.
    """

    loss_is_scaled_for_ga = True  # compute_loss divides by the rows of the whole step

    def __init__(
        self, model: Any, args: TrainingArguments, config: TrainConfig, *,
        train: list[Example], evaluation: list[Example] | None, collator: Collator, metrics: MetricsFile,
        reference_model: Any = None,
    ) -> None:  # fmt: skip
        self.preference = config
        self.metrics_file = metrics
        self.timings: dict[str, float] = {}
        self.training_sums, self.evaluation_sums = MeanMetrics(), MeanMetrics()
        self.keep_checkpoints = args.save_total_limit or 2
        args.save_total_limit = None  # transformers would delete a whole checkpoint before the new one is marked
        self.collator = collator
        self._step_rows: list[str] = []
        self._mixed_alone = args.world_size == 1 and mixes_pictures(train)
        self.micro_batch_rows = args.per_device_train_batch_size
        args.per_device_train_batch_size *= args.gradient_accumulation_steps
        args.gradient_accumulation_steps = 1
        super().__init__(model, args, data_collator=collator, train_dataset=train, eval_dataset=evaluation)
        self.reference_model = reference_model
        if reference_model is not None:
            self.reference_model = self.accelerator.prepare_model(reference_model.eval(), evaluation_mode=True)
        self.model_accepts_loss_kwargs = True  # before 5.10 this says that the loss is scaled
        self.remove_callback(PrinterCallback)  # both print metrics on standard output, which is for results
        self.remove_callback(ProgressCallback)
        self.add_callback(SaveLast())
        if not args.disable_tqdm:
            self.add_callback(Bar())

    def train_plan(self) -> StepPlan:
        """The rows and micro-batches of every update."""
        sequential = self.args.train_sampling_strategy == "sequential"
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return StepPlan(
            **self._sizes(self.train_dataset),
            rows_per_step=self.args.per_device_train_batch_size * self.args.world_size,
            num_processes=self.args.world_size,
            max_rows=self.micro_batch_rows,
            max_tokens=self.preference.tokens_per_batch,
            seed=None if sequential else seed,
            drop_last=self.args.dataloader_drop_last,
        )

    def get_train_dataloader(self) -> Any:
        """The inherited one deals out rows one by one, and repeats some to even the processes out."""
        rows = StepRows(self.train_dataset, self.collator, companion=self.companion(self.train_dataset))
        return self._loader(rows, self.train_plan(), steps_done=lambda: self.state.global_step)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """The same for the evaluation rows, in their order."""
        plan = StepPlan(
            **self._sizes(self.eval_dataset),
            rows_per_step=self.args.per_device_eval_batch_size * self.args.world_size,
            num_processes=self.args.world_size,
            max_rows=self.args.per_device_eval_batch_size,
            max_tokens=self.preference.tokens_per_batch,
        )
        rows = StepRows(self.eval_dataset, self.collator, companion=self.companion(self.eval_dataset))
        return self._loader(rows, plan, steps_done=lambda: 0)

    def companion(self, examples: Any) -> Example | None:
        """The row that micro-batches of `examples` take along where they need one."""
        return companion_of(examples, num_processes=self.args.world_size)

    def _sizes(self, examples: Any) -> dict[str, Any]:
        packed, companion = self.collator.family is not None, self.companion(examples)
        extra = None if companion is None else size_of(companion, packed=packed)
        return {"sizes": sizes_of(examples, packed=packed), "companion": extra}

    def _loader(self, rows: StepRows, plan: StepPlan, *, steps_done: Callable[[], int]) -> Any:
        # before 5.16 transformers has not all of these options
        return step_loader(
            rows, plan, process=self.args.process_index, steps_done=steps_done,
            num_workers=self.args.dataloader_num_workers, pin_memory=self.args.dataloader_pin_memory,
            prefetch_factor=self.args.dataloader_prefetch_factor,
            persistent_workers=self.args.dataloader_persistent_workers,
            multiprocessing_context=getattr(self.args, "dataloader_multiprocessing_context", None),
            in_order=getattr(self.args, "dataloader_in_order", True),
        )  # fmt: skip

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Any:
        """Rows instead of label tokens: the loss is a mean over rows, however a step is cut into micro-batches."""
        # gradients are averaged over processes, so each divides by the mean number of rows
        return sum(batch["num_rows"] for batch in batch_samples) / self.args.world_size

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """The inherited one for each micro-batch of the update; gradients are shared after the last."""
        total: Tensor | float = 0.0
        self._step_rows = []
        last = len(inputs["micro_batches"]) - 1
        for place, micro_batch in enumerate(inputs["micro_batches"]):
            batch = self._made(micro_batch)
            self.accelerator.gradient_state._set_sync_gradients(place == last)
            # DeepSpeed keeps gradients apart by itself
            apart = place < last and self.accelerator.distributed_type != DistributedType.DEEPSPEED
            with self.accelerator.no_sync(model) if apart else nullcontext():
                total = total + super().training_step(model, batch, num_items_in_batch)
        assert isinstance(total, Tensor)
        self._touch_all(model)
        return total

    def _touch_all(self, model: Any) -> None:
        """An optimizer passes over what has no gradient: the projector, in an update without pictures. On several
        processes it has one, of zeros (see `steps.py`), and so it has here."""
        by_torch = self.accelerator.distributed_type != DistributedType.DEEPSPEED  # which counts a missing one as zeros
        if self._mixed_alone and by_torch:
            for parameter in model.parameters():
                if parameter.requires_grad and parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)

    def _made(self, micro_batch: Any) -> dict[str, Any]:
        """A micro-batch that a worker made, or one that is made now; the time that is waited for it counts."""
        start = time.perf_counter()
        batch: dict[str, Any] = micro_batch() if callable(micro_batch) else micro_batch
        self.timings["data_seconds"] = self.timings.get("data_seconds", 0.0) + time.perf_counter() - start
        self._step_rows += batch["row_ids"]
        return batch

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inherited one casts all floats to half precision under DeepSpeed; a response's log-probability, some
        hundred nats, would lose half a nat."""
        made: dict[str, Any] = super()._prepare_inputs(inputs)
        if "reference_S" in inputs:
            made["reference_S"] = inputs["reference_S"].to(self.args.device)
        return made

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """The inherited one, timed: here a step waits for the data loader's workers."""
        start = time.perf_counter()
        found = super().get_batch_samples(*args, **kwargs)
        self.timings["data_seconds"] = self.timings.get("data_seconds", 0.0) + time.perf_counter() - start
        return found

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """The inherited norm, checked before the optimizer uses the gradient; fp16's scaler skips bad steps itself."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if norm is not None and not self.args.fp16:
            taken = self.accelerator.distributed_type == DistributedType.DEEPSPEED  # in its backward pass
            require_finite_gradients(float(norm), self._step_rows, self.state.global_step + 1, taken=taken)
        return norm

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The model's own loss is over labels; ours is over pairs."""
        per_row_N, companion = self._per_row_loss(model, inputs, self.training_sums)
        loss = per_row_N.sum() / (len(per_row_N) if num_items_in_batch is None else num_items_in_batch)
        loss = loss + 0.0 * companion
        return (loss, {}) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[Tensor, None, None]:
        """The inherited one calls the model with the batch as keyword arguments; ours are pairs."""
        total = torch.zeros((), device=self.args.device)
        for micro_batch in inputs["micro_batches"]:
            batch = self._prepare_inputs(micro_batch() if callable(micro_batch) else micro_batch)
            with torch.no_grad(), self.compute_loss_context_manager():
                total += self._per_row_loss(model, batch, self.evaluation_sums)[0].sum()
        return total, None, None  # the mean that is reported comes from the sums

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Add the preference metrics where the inherited loop has none: they are sums over rows, not predictions."""
        self.evaluation_sums.clear()
        output = super().evaluation_loop(*args, **kwargs)
        prefix, means = kwargs.get("metric_key_prefix", "eval"), with_correlation(self._means(self.evaluation_sums))
        output.metrics.update({f"{prefix}_{name}": mean for name, mean in means.items()})
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
            metrics.update(with_correlation(self._means(self.training_sums)))
            self.training_sums.clear(keep=MOMENTS)
        super().log(metrics)
        if self.is_world_process_zero():
            self.metrics_file.append(self.state.log_history[-1])

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """A checkpoint counts with its mark alone, and older ones go only after that."""
        super()._save_checkpoint(model, trial)
        sums = gather_object([self.training_sums.sums])
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            run = Path(self.args.output_dir)
            mark_complete(run / f"checkpoint-{self.state.global_step}", sums)
            keep_newest(run, self.keep_checkpoints, self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """The inherited one reads raw tensors by name: of a family whose saved names differ from those in memory (all
        LLaVA-like ones) it loads nothing, warns, and goes on from the base."""
        where = self.model if model is None else model
        if model is not None and self.is_fsdp_enabled:  # the weights are sharded already
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        if (Path(resume_from_checkpoint) / "adapter_config.json").is_file() or not hasattr(where, "from_pretrained"):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        saved = type(where).from_pretrained(resume_from_checkpoint, dtype=where.dtype, local_files_only=True)
        where.load_state_dict(saved.state_dict())

    def _load_best_model(self) -> None:
        """The inherited one has the same fault."""
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _per_row_loss(self, model: Any, batch: dict[str, Any], sums: MeanMetrics) -> tuple[Tensor, Tensor]:
        """The loss of each row, and what the companion row came to."""
        logps_S = self.collator.logps(model, batch)
        shift_S = logps_S - self._reference(model, batch).to(logps_S.dtype)
        r_S = self.preference.beta * shift_S
        chosen, rejected, blind = (
            Rewards(r_S[is_kind_S], batch["tokens_S"][is_kind_S], batch["row_S"][is_kind_S])
            for is_kind_S in (batch["kind_S"] == kind for kind in (CHOSEN, REJECTED, BLIND))
        )
        method = METHODS[self.preference.method]
        terms = preference_loss(chosen, rejected, blind, method=method, beta=self.preference.beta)
        require_finite(terms.per_row_N, batch["row_ids"][: len(terms.per_row_N)])
        beta = self.preference.beta
        for found in batch_sums(batch, logps_S, shift_S, per_row_N=terms.per_row_N, beta=beta):
            sums.add(found)
        return terms.per_row_N, logps_S[batch["kind_S"] == COMPANION].sum()

    def _reference(self, model: Any, batch: dict[str, Any]) -> Tensor:
        if self.preference.reference == "cached":
            reference_S: Tensor = batch["reference_S"]
            return reference_S
        with torch.no_grad():
            if self.reference_model is not None:
                return self.collator.logps(self.reference_model, batch)
            with self.accelerator.unwrap_model(model).disable_adapter():
                return self.collator.logps(model, batch)

    def _means(self, sums: MeanMetrics) -> dict[str, float]:
        """Means over the rows of all processes."""
        return self._together(sums).means()

    def _together(self, sums: MeanMetrics) -> MeanMetrics:
        """The sums of all processes."""
        if self.accelerator.num_processes == 1:
            return sums
        together = MeanMetrics()
        for part in gather_object([sums.sums]):
            together.add(part)
        return together
