"""One variant of a training step in a process of its own: a command a line in, a line of JSON out.

Variants: `trl` (DPOTrainer on the pair data sets), `plain` (each response after its own prompt, reference cached) and
`packed` (each prompt once, the same cache). All take real `.train()` steps with AdamW on the same rows and weights.
The first step of a round makes the optimizer's state. In the second peak memory is taken: growth of the kernel's
high-water mark of resident memory over the resident size after the first, when gradients are freed; a process a
variant, so that it is its own. The others are timed.
"""

import ctypes
import gc
import json
import os
import re
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from flops import packed_pairs, separate_pairs, step_flops
from transformers import TrainerCallback, TrainingArguments
from transformers.utils import logging as transformers_logging
from world import TIMED_AFTER, Case, case_of, pairs, rows

from blindpo.models.vlm.adapters import add_lora, freeze_vision
from blindpo.models.vlm.attention import SPLIT, use_attention
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.packing.families import family_of
from blindpo.training.trainer import PreferenceTrainer

STATUS = Path("/proc/self/status")
OPTIONS = {"learning_rate": 1e-6, "lr_scheduler_type": "constant", "use_cpu": True, "report_to": "none",
           "save_strategy": "no", "disable_tqdm": True, "logging_strategy": "no", "warmup_steps": 0,
           "max_grad_norm": 1.0, "seed": 42}  # fmt: skip
BETA = 0.1
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt(3)."""


class Watch(TrainerCallback):
    """Peak resident memory of the second step, then the time of all further ones."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The first step makes the optimizer's state; gradients are freed at the end of each."""
        if state.global_step == 1:
            give_back_at_once(True)
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
            self._base = resident("VmRSS")
        elif state.global_step == TIMED_AFTER:
            self.growth_mib = resident("VmHWM") - self._base
            give_back_at_once(False)
            self._cpu, self._wall = time.process_time(), time.perf_counter()
        else:
            self.cpu_s, self.wall_s = time.process_time() - self._cpu, time.perf_counter() - self._wall


def give_back_at_once(at_once: bool) -> None:
    """Whether freed tensors go back to the system at once, so that resident memory is what is held and not what the
    allocator keeps for later; or as glibc does for a process that works with large blocks, which is faster."""
    gc.collect()
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(M_MMAP_THRESHOLD, 128 * 2**10 if at_once else 32 * 2**20)
    libc.mallopt(M_TRIM_THRESHOLD, 128 * 2**10 if at_once else 64 * 2**20)
    libc.malloc_trim(0)


def resident(name: str) -> float:
    """A size of this process by the kernel's name, in MiB."""
    found = re.search(rf"{name}:\s+(\d+) kB", STATUS.read_text())
    assert found is not None
    return int(found[1]) / 1024


class TrlVariant:
    """TRL's own trainer with its own data path; a step has all pairs of its rows."""

    caching_cpu_s = 0.0

    def __init__(self, case: Case, vlm: Vlm, scratch: Path, watch: Watch) -> None:
        from datasets import Dataset
        from trl import DPOConfig, DPOTrainer

        found = pairs(rows(case, case.rows_per_step * case.steps, vlm.processor))
        arguments = DPOConfig(
            output_dir=str(scratch), beta=BETA, max_length=None, bf16=False, max_steps=case.steps,
            per_device_train_batch_size=(len(case.responses) - 1) * case.rows_per_step,
            gradient_checkpointing=case.checkpointing, **OPTIONS,
        )  # fmt: skip
        model = with_lora(vlm.model) if case.lora else vlm.model
        self.trainer = DPOTrainer(
            model=model, args=arguments, train_dataset=Dataset.from_list(found), processing_class=vlm.processor,
            callbacks=[watch],
        )  # fmt: skip


class OurVariant:
    """Our trainer; the reference is cached before, and what that takes is measured apart."""

    def __init__(self, case: Case, vlm: Vlm, scratch: Path, watch: Watch, *, packed: bool) -> None:
        self.case, self.packed = case, packed
        images = ImageTensors(vlm.processor)
        if packed:
            use_attention(vlm.model, SPLIT)  # what the trainer's check at the start chooses for this model
        self.examples = [
            make_example(row, images, use_blind=True, max_length=None)
            for row in rows(case, case.rows_per_step * case.steps, vlm.processor)
        ]
        self.collator = Collator(images, pad_id=vlm.pad_id, family=family_of(vlm.model) if packed else None)
        self.caching_cpu_s = self._cache(vlm.model)
        settings = TrainingArguments(
            output_dir=str(scratch), max_steps=case.steps, per_device_train_batch_size=case.rows_per_step,
            gradient_checkpointing=case.checkpointing, remove_unused_columns=False, **OPTIONS,
        )  # fmt: skip
        model = with_lora(vlm.model) if case.lora else vlm.model
        self.trainer = PreferenceTrainer(
            model, settings, TrainConfig(beta=BETA, lora=case.lora), train=self.examples, evaluation=None,
            collator=self.collator, metrics=MetricsFile(scratch / "metrics.jsonl"),
        )  # fmt: skip
        self.trainer.add_callback(watch)

    def _cache(self, model: Any) -> float:
        """Fill in the reference's log-probabilities; CPU seconds that it takes for a row, a median: the first row pays
        for what a process does once."""
        seconds = []
        for place, example in enumerate(self.examples):
            start = time.process_time()
            with torch.no_grad():
                logps = self.collator.logps(model, self.collator.scored([(example, example.responses)]))
            self.examples[place] = replace(example, reference=tuple(logps.tolist()))
            seconds.append(time.process_time() - start)
        return statistics.median(seconds)

    def flops(self) -> float:
        """Of one step."""
        batch = self.collator(self.examples[: self.case.rows_per_step])
        case, model = self.case, self.trainer.model

        def step() -> None:
            self.trainer.compute_loss(model, batch).backward()
            model.zero_grad(set_to_none=True)

        if self.packed:
            pairs, images = packed_pairs(case.prompt, case.responses, split=True), 1
        else:
            pairs, images = separate_pairs(case.prompt, case.responses), len(case.responses)
        rows = case.rows_per_step
        return step_flops(model, step, rows * pairs, images=rows * images)


def with_lora(model: Any) -> Any:
    """The same adapter for all."""
    config = TrainConfig(lora=True)
    return add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)


def main() -> None:
    """Set up, say so, then do what each line asks for."""
    variant, model, case_json, answers = sys.argv[1:]
    transformers_logging.set_verbosity_error()
    torch.set_num_threads(1)
    case, watch = case_of(json.loads(case_json)), Watch()
    with tempfile.TemporaryDirectory() as scratch, os.fdopen(int(answers), "w", encoding="utf-8") as out:

        def say(content: dict[str, Any]) -> None:
            out.write(json.dumps(content) + "\n")
            out.flush()

        vlm = load_vlm(resolve_model(model), device="cpu")
        freeze_vision(vlm.model)
        folder = Path(scratch)
        made: Any = (
            TrlVariant(case, vlm, folder, watch)
            if variant == "trl"
            else OurVariant(case, vlm, folder, watch, packed=variant == "packed")
        )
        say({"ready": variant, "caching_cpu_s": made.caching_cpu_s})
        for line in sys.stdin:
            say({"flops": made.flops()} if line.strip() == "flops" else trained(made.trainer, watch, variant, case))


def trained(trainer: Any, watch: Watch, variant: str, case: Case) -> dict[str, Any]:
    """One round: a whole `.train()`, of which the steps after the second are timed."""
    trainer.train()
    counted = {"peak_rss_growth_mib": watch.growth_mib, "rows": case.rows_per_step * (case.steps - TIMED_AFTER)}
    return {"variant": variant, "cpu_s": watch.cpu_s, "wall_s": watch.wall_s, **counted}


if __name__ == "__main__":
    main()
