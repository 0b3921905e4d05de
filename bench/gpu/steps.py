"""Training steps of models of real size on one GPU: tokens/s, rows/s, share of peak FLOPs, peak memory.

Weights are random, so nothing is downloaded; a case is a process of its own. Results are kept in results.json beside
this file by device, and RESULTS.md is one table of them in which what nobody has run yet is listed as unmeasured.

    python bench/gpu/steps.py                              all cases on this GPU, then the table
    python bench/gpu/steps.py --case NAME                  one of them (--list names them)
    python bench/gpu/steps.py --tiny --device cpu          the same code at a size that any CPU takes; writes no table
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from flops import packed_pairs, separate_pairs
from models import RESPONSES, Pictures, examples, kinds
from table import FAILED, RESULTS, write_table
from transformers import AutoModelForImageTextToText, TrainerCallback, TrainingArguments

from blindpo.models.adapters import add_lora, freeze_vision
from blindpo.models.attention import SPLIT, use_attention
from blindpo.models.families import family_of
from blindpo.train.collator import Collator
from blindpo.train.config import TrainConfig
from blindpo.train.metrics import MetricsFile
from blindpo.train.trainer import PreferenceTrainer

WARM_UP, STEPS, ROWS = 2, 5, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCase:
    """One line of the table."""

    model: str
    lora: bool
    checkpointing: bool
    packed: bool

    @property
    def name(self) -> str:
        """As `--case` takes it."""
        words = ("LoRA" if self.lora else "full", "checkpointing" if self.checkpointing else "no-checkpointing")
        return "/".join((self.model, *words, "packed" if self.packed else "separate"))


CASES = {
    case.name: case
    for model in kinds(tiny=True)
    for lora in (True, False)
    for checkpointing in (True, False)
    for packed in (True, False)
    for case in [GpuCase(model=model, lora=lora, checkpointing=checkpointing, packed=packed)]
}


class StepClock(TrainerCallback):
    """Seconds of the steps after the warm-up."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts after the warm-up, and is read at every later step."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        if state.global_step == WARM_UP:
            if self._device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self._device)
            self._start = time.perf_counter()
        elif state.global_step > WARM_UP:
            self.seconds = time.perf_counter() - self._start


def run_case(case: GpuCase, *, device: str, tiny: bool) -> dict[str, Any]:
    """Train for some steps; what they took. Weights are bfloat16 under LoRA, else float32 under bf16 autocast."""
    kind = kinds(tiny=tiny)[case.model]
    dtype = torch.bfloat16 if case.lora else torch.float32
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(kind.config(), dtype=dtype, attn_implementation="sdpa")
    freeze_vision(model)
    if case.packed:
        use_attention(model, SPLIT)  # what the trainer's check at the start chooses for these models
    pictures = Pictures()
    rows = examples(kind, ROWS, pictures)
    collator = Collator(pictures, pad_id=0, family=family_of(model) if case.packed else None)
    config = TrainConfig(lora=case.lora)
    if case.lora:
        model = add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    clock = StepClock(torch.device(device))
    with tempfile.TemporaryDirectory() as scratch:
        settings = TrainingArguments(
            output_dir=scratch, max_steps=WARM_UP + STEPS, per_device_train_batch_size=1,
            gradient_accumulation_steps=ROWS, bf16=True, gradient_checkpointing=case.checkpointing, learning_rate=1e-6,
            use_cpu=device == "cpu", report_to="none", save_strategy="no", logging_strategy="no", disable_tqdm=True,
            remove_unused_columns=False,
        )  # fmt: skip
        trainer = PreferenceTrainer(
            model, settings, config, train=rows, evaluation=None, collator=collator,
            metrics=MetricsFile(Path(scratch) / "metrics.jsonl"),
        )  # fmt: skip
        trainer.add_callback(clock)
        trainer.train()
    return measures(case, trainer, clock.seconds, torch.device(device))


def measures(case: GpuCase, trainer: Any, seconds: float, device: torch.device) -> dict[str, Any]:
    """Rates over the counted steps. FLOPs are the model's own: 2 a weight and token forward, 4 backward (2 where the
    weights do not train), and in attention 4 h a pair of query and key forward and 8 h backward, which has no weights
    and so costs the same under LoRA; what checkpointing computes again does not count."""
    plan = trainer.train_plan()
    tokens = STEPS * sum(size.real for size in plan.sizes)
    text = trainer.model.config.get_text_config()
    linear = sum(p.numel() for name, p in trainer.model.named_parameters() if "layers" in name and "vis" not in name)
    prompts = [size.width - (sum(RESPONSES) if case.packed else max(RESPONSES)) for size in plan.sizes]
    pairs = STEPS * sum(
        packed_pairs(prompt, RESPONSES, split=True) if case.packed else separate_pairs(prompt, RESPONSES)
        for prompt in prompts
    )
    flops = own_flops(linear * tokens, pairs * text.hidden_size * text.num_hidden_layers, trains_weights=not case.lora)
    peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    return {
        "case": case.name,
        "tokens_per_second": tokens / seconds,
        "rows_per_second": STEPS * ROWS / seconds,
        "flops_per_second": flops / seconds,
        "peak_gib": peak,
    }


def own_flops(weights_by_tokens: float, pairs_by_width: float, *, trains_weights: bool) -> float:
    """Of forward and backward passes. 10 weights on 3 tokens, 5 pairs of width 2 in one layer: 30 * 6 + 10 * 12 = 300;
    under LoRA 30 * 4 + 10 * 12 = 240."""
    return weights_by_tokens * (6 if trains_weights else 4) + pairs_by_width * 12


def main() -> None:
    """One case in this process, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, metavar="NAME")
    parser.add_argument("--list", action="store_true", help="names of cases")
    parser.add_argument("--table", action="store_true", help="write RESULTS.md from results.json, run nothing")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    if given.list:
        sys.stdout.write("\n".join(CASES) + "\n")
    elif given.table:
        write_table(list(CASES))
    elif given.case:
        sys.stdout.write(json.dumps(run_case(CASES[given.case], device=given.device, tiny=given.tiny)) + "\n")
    else:
        run_all(given.device, tiny=given.tiny)


def run_all(device: str, *, tiny: bool) -> None:
    """Every case; one that fails (for memory, say) is a line of the table too."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("there is no CUDA device here; try the code with --tiny --device cpu")
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    for case in CASES:
        words = [sys.executable, __file__, "--case", case, "--device", device, *(["--tiny"] if tiny else [])]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"case": case, FAILED: why(done)}
        sys.stdout.write(json.dumps({**found, "device": name}) + "\n")
        if not tiny:
            kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
            kept = [each for each in kept if (each["case"], each["device"]) != (case, name)]
            RESULTS.write_text(json.dumps([*kept, {**found, "device": name}], indent=2) + "\n")
            write_table(list(CASES))


def why(done: subprocess.CompletedProcess[str]) -> str:
    """The last words of a process that failed, in short."""
    words = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit status {done.returncode}"
    return "out of memory" if "OutOfMemory" in done.stderr else words[:100]


if __name__ == "__main__":
    main()
