"""Said before the first step: what the run needs, what its longest batch took, and how off-policy its responses are.

Glue over `plan.py`, `trial.py` and `policy.py`. Sizes and times go to timings.json, since they depend on the machine;
the distance from the policy goes to the manifest.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor
from transformers import TrainerCallback

from blindpo.training.collator import Collator
from blindpo.training.examples import Example
from blindpo.training.launch import Engine
from blindpo.training.micro_batches import MicroBatch, StepPlan
from blindpo.training.monitor.callbacks import Say
from blindpo.training.monitor.health import start_warning
from blindpo.training.monitor.metrics import MeanMetrics
from blindpo.training.precision import autocast
from blindpo.training.preflight.memory import MIB, free_bytes, memory_plan, plan_lines, shape_of, time_lines
from blindpo.training.preflight.off_policy import policy_distance
from blindpo.training.preflight.trial import run_trial

SAMPLED_ROWS: Final = 32
"""Rows that are scored to tell the distance from the policy where no reference is cached."""


class PlanWatch(TrainerCallback):  # type: ignore[misc]
    """Plans memory and time, and tries the longest batch, when the loop is about to begin (or to go on)."""

    def __init__(self, trainer: Any, engine: Engine, tell: Say) -> None:
        self._trainer, self._engine, self._tell = trainer, engine, tell

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Every process tries the same batch: those that share gradients wait for each other."""
        trainer, plan = self._trainer, self._trainer.train_plan()
        longest = longest_micro_batch(plan, state.max_steps)
        tokens = plan.tokens(longest)
        examples = [trainer.train_dataset[row] for row in longest]
        companion = trainer.companion(trainer.train_dataset) if len(plan.carried(longest)) > len(longest) else None
        along = [] if companion is None else [companion.chosen]
        head = sum(len(response) for example in examples for response in (*example.responses, *along))
        self._say_plan(tokens, head, args)
        sums, names = MeanMetrics(), [each.row.row_id for each in examples]
        trial = run_trial(
            trainer.model_wrapped, lambda: self._loss(examples, companion, sums), row_ids=names,
            backward=not self._engine.name.startswith("zero"),  # DeepSpeed would keep the gradients
        )  # fmt: skip
        left = state.max_steps - state.global_step
        whole = round(all_tokens(plan) / len(plan) * left / self._engine.processes)
        for line in time_lines({"trial": trial.seconds}, tokens=tokens, all_tokens=whole, steps=left):
            self._tell(line)
        self._tell(f"peak memory of the trial: {trial.peak_bytes / MIB:,.0f} MiB over what was in use")
        trainer.timings |= {"trial_seconds": trial.seconds, "trial_peak_mib": trial.peak_bytes / MIB}
        said = start_warning(sums.means()) if state.global_step == 0 else None
        if said is not None:
            self._tell(f"WARNING: {said}")

    def _say_plan(self, tokens: int, head: int, args: Any) -> None:
        model = self._trainer.model
        half = bool(args.bf16 or args.fp16)
        shape = shape_of(model, checkpointing=bool(args.gradient_checkpointing), half=half)
        optim = str(getattr(args.optim, "value", args.optim))
        made = memory_plan(shape, optim=optim, tokens=tokens, response_tokens=head, engine=self._engine)
        parameters = list(model.parameters())
        trained, total = (sum(p.numel() for p in ps) for ps in ([p for p in parameters if p.requires_grad], parameters))
        for line in plan_lines(made, self._engine, free=free_bytes(self._engine.device), trained=trained, total=total):
            self._tell(line)
        self._trainer.timings |= {f"plan_{name}_mib": size for name, size in made.to_mib().items()}

    def _loss(self, examples: Sequence[Example], along: Example | None, sums: MeanMetrics) -> Tensor:
        trainer = self._trainer
        model, collator = trainer.model_wrapped, trainer.collator
        was_training = model.training
        model.train()  # checkpointing works in training mode alone; there is no dropout
        batch = trainer._prepare_inputs(collator(examples, along))
        with trainer.compute_loss_context_manager():
            per_row_N, companion = trainer._per_row_loss(model, batch, sums)
        model.train(was_training)
        loss: Tensor = per_row_N.mean() + 0.0 * companion
        return loss


def longest_micro_batch(plan: StepPlan, num_steps: int) -> MicroBatch:
    """The micro-batch that is largest with its padding and its companion in the epochs of a run: each deals the rows
    anew."""
    epochs = range(math.ceil(num_steps / len(plan)))
    cuts = (cut for epoch in epochs for cut in plan.cuts(epoch))
    parts = (part for _, processes in cuts for process in processes for part in process if part)
    return max(parts, key=plan.tokens)


def all_tokens(plan: StepPlan) -> int:
    """Tokens of an epoch with padding, on all processes."""
    parts = (part for _, processes in plan.cuts(0) for process in processes for part in process)
    return sum(plan.tokens(part) for part in parts)


def before_training(
    examples: Sequence[Example], collator: Collator, model: Any, settings: Any
) -> dict[str, float | str | int]:
    """Mean log-probabilities a token under the reference, a verdict, and how many blind responses are the chosen one.

    From cached values of all rows, else computed for a sample by `model`, which is the reference before training.
    """
    known = [example for example in examples if example.reference is not None]
    by_kind: dict[str, list[tuple[float, int]]] = {"chosen": [], "rejected": [], "blind": []}
    for example in known or examples[:SAMPLED_ROWS]:
        values = example.reference or _scored(example, collator, model, settings)
        kinds = ["chosen", *["rejected"] * len(example.rejected), *["blind"] * len(example.blind)]
        for kind, value, response in zip(kinds, values, example.responses, strict=True):
            by_kind[kind].append((value, len(response)))
    distance = policy_distance(by_kind)
    equal = sum(response == example.chosen for example in examples for response in example.blind)
    return {**(distance.to_json() if distance is not None else {}), "blind_equal_to_chosen": equal}


def _scored(example: Example, collator: Collator, model: Any, settings: Any) -> tuple[float, ...]:
    with torch.no_grad(), autocast(settings):
        return tuple(collator.logps(model, collator.scored([(example, example.responses)])).tolist())


def before_lines(found: dict[str, float | str | int], *, at_start: str) -> list[str]:
    """`before_training` for a person."""
    kinds = [f"{kind} {found[kind]:.3f}" for kind in ("chosen", "rejected", "blind") if kind in found]
    lines = [f"log-probability a token under the reference: {', '.join(kinds)}. {found.get('verdict', '')}"]
    if found["blind_equal_to_chosen"]:
        lines.append(
            f"{found['blind_equal_to_chosen']} blind responses are the chosen one to the letter: their term stays at "
            f"{at_start} and teaches nothing"
        )
    return lines
