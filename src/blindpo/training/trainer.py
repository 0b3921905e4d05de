"""transformers.Trainer with the preference loss, and nothing but glue: each override says why it is there.

Nothing here computes what is minimised (`loss.py`) or a log-probability (`models/vlm/logprobs.py`).
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, gather_object
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PrinterCallback, ProgressCallback, Trainer, TrainingArguments

from blindpo.training.collator import BLIND, CHOSEN, DUMMY, REJECTED, Batch, Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import Example
from blindpo.training.loss import Rewards, preference_loss
from blindpo.training.methods import METHODS
from blindpo.training.micro_batches import (
    StepPlan,
    StepRows,
    Update,
    dummy_of,
    mixes_images,
    size_of,
    sizes_of,
    step_loader,
)
from blindpo.training.monitor.callbacks import Bar, SaveLast
from blindpo.training.monitor.health import require_finite, require_finite_gradients
from blindpo.training.monitor.metrics import (
    MOMENTS,
    MeanMetrics,
    MetricsFile,
    batch_sums,
    split_durations,
    with_correlation,
)
from blindpo.training.output.checkpoints import keep_newest, mark_complete
from blindpo.training.reference import adapter_off_logps, copy_logps


@dataclass(frozen=True, slots=True)
class RowLosses:
    """The losses from one forward pass."""

    per_row_N: Float[Tensor, " N"]
    dummy: Float[Tensor, ""]
    """The dummy row's log-probability, 0 without one."""

    def loss(self, num_rows: int | float) -> Tensor:
        """The sum over rows divided by `num_rows`; the dummy row adds a gradient of 0 to all that it went through."""
        return self.per_row_N.sum() / num_rows + 0.0 * self.dummy


class PreferenceTrainer(Trainer):  # type: ignore[misc]  # transformers is not typed
    """Trains `model` on examples; `timings` collects the clock times that metrics leave out.

    A batch of transformers' loop is one whole update here (`micro_batches.Update`). So the loop does not accumulate;
    `training_step` does.
    """

    loss_is_scaled_for_ga = True  # compute_loss divides by the rows of the whole step

    def __init__(
        self, model: nn.Module, args: TrainingArguments, config: TrainConfig, *,
        train: list[Example], evaluation: list[Example] | None, collator: Collator, metrics: MetricsFile,
        reference_model: nn.Module | None = None,
    ) -> None:  # fmt: skip
        self.config = config
        self.metrics_file = metrics
        self.timings: dict[str, float] = {}
        self.training_sums, self.evaluation_sums = MeanMetrics(), MeanMetrics()
        self.keep_checkpoints = args.save_total_limit or 2
        args.save_total_limit = None  # transformers would delete a whole checkpoint before the new one is marked
        self.collator = collator
        self._step_rows: list[str] = []
        self._mixed_alone = args.world_size == 1 and mixes_images(train)
        self.micro_batch_rows = args.per_device_train_batch_size
        args.per_device_train_batch_size *= args.gradient_accumulation_steps
        args.gradient_accumulation_steps = 1
        super().__init__(model, args, data_collator=collator, train_dataset=train, eval_dataset=evaluation)
        self.reference_model = reference_model
        if reference_model is not None:
            self.reference_model = self.accelerator.prepare_model(reference_model.eval(), evaluation_mode=True)
        self.model_accepts_loss_kwargs = True  # before 5.10 this flag says that the loss is scaled
        self.remove_callback(PrinterCallback)  # both print metrics on standard output, which is for results
        self.remove_callback(ProgressCallback)
        self.add_callback(SaveLast())
        if not args.disable_tqdm:
            self.add_callback(Bar())

    def step_plan(self) -> StepPlan:
        """Plan the rows and micro-batches of every update."""
        sequential = self.args.train_sampling_strategy == "sequential"
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return StepPlan(
            **self._sizes(self.train_dataset),
            rows_per_step=self.args.per_device_train_batch_size * self.args.world_size,
            num_processes=self.args.world_size,
            max_rows=self.micro_batch_rows,
            max_tokens=self.config.tokens_per_batch,
            seed=None if sequential else seed,
            drop_last=self.args.dataloader_drop_last,
        )

    def get_train_dataloader(self) -> Any:
        """Overridden because the inherited one deals out single rows, and repeats some to even out the processes."""
        rows = StepRows(self.train_dataset, self.collator, dummy=self.dummy_row(self.train_dataset))
        return self._loader(rows, self.step_plan(), steps_done=lambda: self.state.global_step)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Overridden for the same reason; evaluation rows keep their order."""
        plan = StepPlan(
            **self._sizes(self.eval_dataset),
            rows_per_step=self.args.per_device_eval_batch_size * self.args.world_size,
            num_processes=self.args.world_size,
            max_rows=self.args.per_device_eval_batch_size,
            max_tokens=self.config.tokens_per_batch,
        )
        rows = StepRows(self.eval_dataset, self.collator, dummy=self.dummy_row(self.eval_dataset))
        return self._loader(rows, plan, steps_done=lambda: 0)

    def dummy_row(self, examples: Sequence[Example]) -> Example | None:
        """The dummy row for micro-batches of `examples`; None on one process."""
        return dummy_of(examples, num_processes=self.args.world_size)

    def _sizes(self, examples: Any) -> dict[str, Any]:
        packed, dummy = self.collator.family is not None, self.dummy_row(examples)
        extra = None if dummy is None else size_of(dummy, packed=packed)
        return {"sizes": sizes_of(examples, packed=packed), "dummy": extra}

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
        """Overridden to count rows, not label tokens: the loss is a mean over rows, whatever the micro-batches."""
        # gradients are averaged over processes, so each divides by the mean number of rows
        return sum(batch["num_rows"] for batch in batch_samples) / self.args.world_size

    def training_step(self, model: nn.Module, inputs: Update, num_items_in_batch: Any = None) -> Tensor:
        """Overridden to run the inherited step on each micro-batch; gradients are shared after the last one."""
        total: Tensor | float = 0.0
        self._step_rows = []
        last = len(inputs["micro_batches"]) - 1
        for index, micro_batch in enumerate(inputs["micro_batches"]):
            batch = self._batch(micro_batch)
            self.accelerator.gradient_state._set_sync_gradients(index == last)
            # DeepSpeed keeps gradients apart by itself
            apart = index < last and self.accelerator.distributed_type != DistributedType.DEEPSPEED
            with self.accelerator.no_sync(model) if apart else nullcontext():
                total = total + super().training_step(model, batch, num_items_in_batch)
        assert isinstance(total, Tensor)
        self._fill_gradients(model)
        return total

    def _fill_gradients(self, model: nn.Module) -> None:
        """Give every trainable parameter a gradient, zeros if need be: optimizers skip a parameter whose grad is None,
        as the projector's is in an update without images. On several processes the dummy row gives it zeros."""
        by_torch = self.accelerator.distributed_type != DistributedType.DEEPSPEED  # which counts a missing one as zeros
        if self._mixed_alone and by_torch:
            for parameter in model.parameters():
                if parameter.requires_grad and parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)

    def _batch(self, micro_batch: Batch | Callable[[], Batch]) -> Batch:
        """Return the batch that a worker made, or make it now; the time spent waiting for it counts as data time."""
        start = time.perf_counter()
        batch = micro_batch() if callable(micro_batch) else micro_batch
        self.timings["data_seconds"] = self.timings.get("data_seconds", 0.0) + time.perf_counter() - start
        self._step_rows += batch["row_ids"]
        return batch

    def _prepare_inputs(self, inputs: Any) -> Any:
        """Overridden because under DeepSpeed the inherited one casts all floats to half precision: a response's
        log-probability, some hundred nats, would lose half a nat."""
        moved = super()._prepare_inputs(inputs)
        if "reference_S" in inputs:
            moved["reference_S"] = inputs["reference_S"].to(self.args.device)
        return moved

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Overridden to time it: this is where a step waits for the data loader's workers."""
        start = time.perf_counter()
        samples = super().get_batch_samples(*args, **kwargs)
        self.timings["data_seconds"] = self.timings.get("data_seconds", 0.0) + time.perf_counter() - start
        return samples

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """Overridden to check the norm before the optimizer uses the gradient; fp16's scaler skips bad steps itself."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if norm is not None and not self.args.fp16:
            taken = self.accelerator.distributed_type == DistributedType.DEEPSPEED  # in its backward pass
            require_finite_gradients(float(norm), self._step_rows, self.state.global_step + 1, taken=taken)
        return norm

    def compute_loss(
        self, model: nn.Module, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Overridden because the model's own loss is over labels; ours is over pairs."""
        losses = self._row_losses(model, inputs, self.training_sums)
        loss = losses.loss(len(losses.per_row_N) if num_items_in_batch is None else num_items_in_batch)
        return (loss, {}) if return_outputs else loss

    def prediction_step(
        self, model: nn.Module, inputs: Update, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[Tensor, None, None]:
        """Overridden because the inherited one calls the model with the batch as keyword arguments; ours are pairs."""
        total = torch.zeros((), device=self.args.device)
        for micro_batch in inputs["micro_batches"]:
            batch = micro_batch() if callable(micro_batch) else micro_batch
            with torch.no_grad():
                total += self.row_losses(model, batch, self.evaluation_sums).per_row_N.sum()
        return total, None, None  # the mean that is reported comes from the sums

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """Overridden to add the preference metrics: they are sums over rows, not predictions."""
        self.evaluation_sums.clear()
        output = super().evaluation_loop(*args, **kwargs)
        prefix, means = kwargs.get("metric_key_prefix", "eval"), with_correlation(self._means(self.evaluation_sums))
        output.metrics.update({f"{prefix}_{name}": mean for name, mean in means.items()})
        return output

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Overridden to add our means to a training log, write it to metrics.jsonl, and keep clock times out of both.

        Our mean replaces the inherited loss, which forgets at a resume what was summed since the last log.
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
        """Overridden to mark a checkpoint as complete, and to delete older ones only after that."""
        super()._save_checkpoint(model, trial)
        sums = gather_object([self.training_sums.sums])
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            run = Path(self.args.output_dir)
            mark_complete(run / f"checkpoint-{self.state.global_step}", sums)
            keep_newest(run, self.keep_checkpoints, self.state.best_model_checkpoint)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Overridden because the inherited one reads raw tensors by name: where a family saves other names than it has
        in memory (all LLaVA-like ones do) it loads nothing, warns, and goes on from the base."""
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
        """Overridden because the inherited one has the same fault."""
        self.load_weights(Path(self.state.best_model_checkpoint))

    def load_weights(self, checkpoint: Path) -> None:
        """Put the weights of a checkpoint into the model."""
        self._load_from_checkpoint(str(checkpoint))

    def row_losses(self, model: nn.Module, batch: Batch, sums: MeanMetrics) -> RowLosses:
        """The losses of a batch of the collator, computed as the loop computes them; `sums` gets its metrics."""
        moved = self._prepare_inputs(batch)
        with self.compute_loss_context_manager():
            return self._row_losses(model, moved, sums)

    def _row_losses(self, model: nn.Module, batch: Batch, sums: MeanMetrics) -> RowLosses:
        """The same for a batch on the device, inside the loop's precision."""
        logps_S = self.collator.logps(model, batch)
        shift_S = logps_S - self._reference(model, batch).to(logps_S.dtype)
        r_S = self.config.beta * shift_S
        chosen, rejected, blind = (
            Rewards(r_S[is_kind_S], batch["tokens_S"][is_kind_S], batch["row_S"][is_kind_S])
            for is_kind_S in (batch["kind_S"] == kind for kind in (CHOSEN, REJECTED, BLIND))
        )
        method = METHODS[self.config.method]
        terms = preference_loss(chosen, rejected, blind, method=method, beta=self.config.beta)
        require_finite(terms.per_row_N, batch["row_ids"][: len(terms.per_row_N)])
        for part in batch_sums(batch, logps_S, shift_S, per_row_N=terms.per_row_N, beta=self.config.beta):
            sums.add(part)
        return RowLosses(terms.per_row_N, logps_S[batch["kind_S"] == DUMMY].sum())

    def _reference(self, model: nn.Module, batch: Batch) -> Tensor:
        if self.config.reference == "cached":
            return batch["reference_S"]
        if self.reference_model is not None:
            return copy_logps(self.reference_model, batch, self.collator)
        return adapter_off_logps(model, batch, self.collator, unwrapped=self.accelerator.unwrap_model(model))

    def _means(self, sums: MeanMetrics) -> dict[str, float]:
        """Means over the rows of all processes."""
        if self.accelerator.num_processes == 1:
            return sums.means()
        together = MeanMetrics()
        for part in gather_object([sums.sums]):
            together.add(part)
        return together.means()
