"""Training steps of models of real size on one GPU, ours and TRL's: tokens/s, rows/s, share of peak FLOPs, peak memory.

Weights are random, so nothing is downloaded; a case is a process of its own. Results are kept in results.json beside
this file by device, and RESULTS.md is one table of them in which what nobody has run yet is listed as unmeasured.
A checkout and `pip install '.[vision]' trl` are all that is needed; where several GPUs are visible, it stops.

    python bench/gpu/steps.py                              all cases on this GPU, and the table after each; ended
                                                           early, it goes on with those that it has no result of
    python bench/gpu/steps.py --again                      all cases anew, after a change of the code
    python bench/gpu/steps.py --only Qwen --only LoRA/no-  those whose names contain one of these texts, in the order
                                                           of --list, where time on the GPU is short
    python bench/gpu/steps.py --case NAME                  one of them (--list names them)
    python bench/gpu/steps.py --tiny --device cpu          the same code at a size that any CPU takes; writes no table
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from against_trl import trl_trainer, trl_work
from flops import packed_pairs, separate_pairs
from models import RESPONSES, Pictures, examples, kinds
from table import FAILED, RESULTS, write_table
from transformers import AutoModelForImageTextToText, TrainerCallback, TrainingArguments

from blindpo.jobs.manifest import write_json
from blindpo.models.vlm.adapters import add_lora, freeze_vision
from blindpo.models.vlm.attention import SPLIT, use_attention
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.monitor.metrics import MetricsFile
from blindpo.training.packing.families import family_of
from blindpo.training.trainer import PreferenceTrainer

WARM_UP, STEPS, ROWS = 2, 5, 4
VARIANTS = ("packed", "separate", "trl")
VERSIONS = ("torch", "transformers", "peft", "accelerate", "trl")
NO_MEMORY = ("OutOfMemory", "CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCase:
    """One line of the table."""

    model: str
    lora: bool
    checkpointing: bool
    variant: str
    """Of `VARIANTS`."""
    rows: int = 1
    """Of a micro-batch: a step has `ROWS` in any case."""

    @property
    def name(self) -> str:
        """As `--case` takes it."""
        words = ("LoRA" if self.lora else "full", "checkpointing" if self.checkpointing else "no-checkpointing")
        together = () if self.rows == 1 else (f"{self.rows}-rows",)
        return "/".join((self.model, *words, *together, self.variant))


CASES = {
    case.name: case
    for lora in (True, False)
    for rows in ((1, ROWS) if lora else (1,))
    for checkpointing in (False, True)
    for model in kinds(tiny=True)
    for variant in VARIANTS
    for case in [GpuCase(model=model, lora=lora, checkpointing=checkpointing, variant=variant, rows=rows)]
}
"""Those that a card of 80 GB takes first: time on a GPU may end before the list does."""


class StepClock(TrainerCallback):
    """Seconds of the steps after the warm-up."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.step_seconds: list[float] = []

    @property
    def seconds(self) -> float:
        """Of all counted steps together."""
        return sum(self.step_seconds)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts after the warm-up, and is read at every later step."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if state.global_step == WARM_UP:
            if self.device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self.device)
        elif state.global_step > WARM_UP:
            self.step_seconds.append(time.perf_counter() - self._last)
        self._last = time.perf_counter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the counted steps compute: tokens that the policy reads, and its pairs of a query and a key."""

    tokens: int
    pairs: float
    reference: bool = False
    """Whether a reference reads the same at every step."""


def run_case(case: GpuCase, *, device: str, tiny: bool) -> dict[str, Any]:
    """Train for some steps; what they took. Weights are bfloat16 under LoRA, else float32 under bf16 autocast."""
    kind = kinds(tiny=tiny)[case.model]
    dtype = torch.bfloat16 if case.lora else torch.float32
    with torch.device(device):
        model = AutoModelForImageTextToText.from_config(kind.config(), dtype=dtype, attn_implementation="sdpa")
    freeze_vision(model)
    if case.variant == "packed":
        use_attention(model, SPLIT)  # what the trainer's check at the start chooses for these models
    pictures = Pictures()
    rows = examples(kind, ROWS, pictures)
    collator = Collator(pictures, pad_id=0, family=family_of(model) if case.variant == "packed" else None)
    config = TrainConfig(lora=case.lora)
    if case.lora:
        model = add_lora(model, r=config.lora_r, alpha=config.lora_alpha, dropout=0.0, targets=config.lora_targets)
    clock = StepClock(torch.device(device))
    with tempfile.TemporaryDirectory() as scratch:
        options: dict[str, Any] = {
            "output_dir": scratch, "max_steps": WARM_UP + STEPS, "gradient_accumulation_steps": ROWS // case.rows,
            "bf16": True, "gradient_checkpointing": case.checkpointing, "learning_rate": 1e-6,
            "use_cpu": device == "cpu", "report_to": "none", "save_strategy": "no", "logging_strategy": "no",
            "disable_tqdm": True,
        }  # fmt: skip
        if case.variant == "trl":
            trl_trainer(model, kind, rows, options, rows_together=case.rows, watch=clock).train()
            tokens, pairs = trl_work(rows)
            work = Work(tokens=STEPS * tokens, pairs=STEPS * pairs, reference=True)
        else:
            settings = TrainingArguments(**options, per_device_train_batch_size=case.rows, remove_unused_columns=False)
            trainer = PreferenceTrainer(
                model, settings, config, train=rows, evaluation=None, collator=collator,
                metrics=MetricsFile(Path(scratch) / "metrics.jsonl"),
            )  # fmt: skip
            trainer.add_callback(clock)
            trainer.train()
            work = our_work(trainer, packed=case.variant == "packed")
    return measures(case, model, work, clock)


def our_work(trainer: Any, *, packed: bool) -> Work:
    """Of our trainer's counted steps, from the sizes that its plan has."""
    sizes = trainer.step_plan().sizes
    prompts = [size.width - (sum(RESPONSES) if packed else max(RESPONSES)) for size in sizes]
    pairs = sum(
        packed_pairs(prompt, RESPONSES, split=True) if packed else separate_pairs(prompt, RESPONSES)
        for prompt in prompts
    )
    return Work(tokens=STEPS * sum(size.real for size in sizes), pairs=STEPS * pairs)


def measures(case: GpuCase, model: Any, work: Work, clock: StepClock) -> dict[str, Any]:
    """Rates over the counted steps. FLOPs are the model's own: 2 a weight and token forward, 4 backward (2 where the
    weights do not train), and in attention 4 h a pair of query and key forward and 8 h backward, which has no weights
    and so costs the same under LoRA; what checkpointing computes again does not count. A reference in the step is a
    pass forward, whose tokens count once more."""
    text = model.config.get_text_config()
    linear = sum(p.numel() for name, p in model.named_parameters() if "layers" in name and "vis" not in name)
    weights, width = linear * work.tokens, work.pairs * text.hidden_size * text.num_hidden_layers
    flops = own_flops(weights, width, trains_weights=not case.lora)
    if work.reference:
        flops += 2 * weights + 4 * width
    device = clock.device
    return {
        "case": case.name,
        "tokens_per_second": work.tokens * (2 if work.reference else 1) / clock.seconds,
        "rows_per_second": STEPS * ROWS / clock.seconds,
        "flops_per_second": flops / clock.seconds,
        "peak_gib": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        "step_seconds": [round(seconds, 4) for seconds in clock.step_seconds],
        "versions": {name: version(name) for name in VERSIONS if name != "trl" or case.variant == "trl"},
    }


def own_flops(weights_by_tokens: float, pairs_by_width: float, *, trains_weights: bool) -> float:
    """Of forward and backward passes. 10 weights on 3 tokens, 5 pairs of width 2 in one layer: 30 * 6 + 10 * 12 = 300;
    under LoRA 30 * 4 + 10 * 12 = 240."""
    return weights_by_tokens * (6 if trains_weights else 4) + pairs_by_width * 12


def main() -> None:
    """One case in this process, or all of them in processes of their own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, metavar="NAME")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="cases whose names contain it")
    parser.add_argument("--list", action="store_true", help="names of cases")
    parser.add_argument("--table", action="store_true", help="write RESULTS.md from results.json, run nothing")
    parser.add_argument("--again", action="store_true", help="measure anew what has a result")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    given = parser.parse_args()
    chosen = [case for case in CASES if not given.only or any(text in case for text in given.only)]
    if not chosen:
        raise SystemExit(f"--only {' '.join(given.only)}: no case has such a name; --list names them")
    if given.list:
        sys.stdout.write("\n".join(chosen) + "\n")
    elif given.table:
        write_table(list(CASES))
    elif reason := why_not(given.device):
        raise SystemExit(reason)
    elif given.case:
        sys.stdout.write(json.dumps(run_case(CASES[given.case], device=given.device, tiny=given.tiny)) + "\n")
    else:
        run_all(chosen, given.device, tiny=given.tiny, again=given.again)


def why_not(device: str) -> str:
    """Why nothing can be measured on `device`; empty where it can.

    With several GPUs visible transformers would spread a batch over them, and all figures would be of another step.
    """
    if device != "cpu" and not torch.cuda.is_available():
        return "there is no CUDA device here; try the code with --tiny --device cpu"
    if device != "cpu" and torch.cuda.device_count() > 1:
        return f"{torch.cuda.device_count()} GPUs are visible: let this process see one of them, and start again"
    return ""


def run_all(cases: list[str], device: str, *, tiny: bool, again: bool) -> None:
    """Each of `cases`; one that fails (for memory, say) is a line of the table too, and is tried at every start."""
    name = "CPU" if device == "cpu" else device_name()
    known = [] if tiny or not RESULTS.is_file() else json.loads(RESULTS.read_text())
    done_before = {each["case"] for each in known if each["device"] == name and FAILED not in each}
    for case in cases:
        if case in done_before and not again:
            sys.stdout.write(f"{case}: has a result on {name}; --again measures it anew\n")
            continue
        words = [sys.executable, __file__, "--case", case, "--device", device, *(["--tiny"] if tiny else [])]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"case": case, FAILED: why(done)}
        sys.stdout.write(json.dumps({**found, "device": name}) + "\n")
        if not tiny:
            keep({**found, "device": name})


def keep(found: dict[str, Any]) -> None:
    """Put one case's result in the place of an older one on the same device, and write the table."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    kept = [each for each in kept if (each["case"], each["device"]) != (found["case"], found["device"])]
    write_json(RESULTS, [*kept, found])
    write_table(list(CASES))


def device_name() -> str:
    """The GPU's, asked by a process that ends: a context kept here would take memory from the cases."""
    words = [sys.executable, "-c", "import torch; print(torch.cuda.get_device_name())"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def why(done: subprocess.CompletedProcess[str]) -> str:
    """Why a process failed, in short: its error's line, without what would break a table or name a folder."""
    if any(words in done.stderr for words in NO_MEMORY):
        return "out of memory"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"no processor: |[\w.]+(Error|Exception)\b", line)]
    if done.returncode < 0 or not lines:
        return f"ended by signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
    return re.sub(r"(/[\w.@+-]+){2,}", "PATH", (errors or lines)[-1]).replace("|", "/")[:120]


if __name__ == "__main__":
    main()
