"""RESULTS.md: what was measured on GPUs, and by name what nobody has measured yet."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS, TABLE = HERE / "results.json", HERE / "RESULTS.md"
FAILED = "failed"
PEAK_TFLOPS = {"H200": 989, "H100": 989, "A100": 312, "L40S": 362, "A10": 125, "4090": 165}
"""Dense bfloat16 peak by a word of the device's name, from the makers' data sheets (SXM where there are several)."""
HEAD = (
    "# Training steps of models of real size on one GPU\n\n"
    "Written by `python bench/gpu/steps.py` (see there). Random weights, rows of about 726 tokens (576 of the image)\n"
    "with three responses of about 60, bf16; LoRA r 16 over bfloat16 weights, full fine-tuning over float32 ones.\n"
    "A step has 4 rows, one a micro-batch, or all in one where a name has `4-rows`. Rows/s compare packed, separate\n"
    "and TRL's `DPOTrainer`, whose step has the two pairs of each row. ours/TRL is of rows/s on the same device, in\n"
    "the same micro-batches; our reference is cached, and the pass that caches it is not counted. Tokens/s count a\n"
    "prompt as often as it is computed, under TRL by the reference too. results.json has the seconds of each step and\n"
    "the versions.\n\n"
    "Full fine-tuning of 7 billion weights in float32 takes 16 bytes each (weight, gradient, two of AdamW), about\n"
    "110 GB before any activation, and under TRL 4 bytes more for its reference: on one card of 80 GB these cases\n"
    "cannot run, and say out of memory once they are tried.\n\n"
    "| case | device | rows/s | ours/TRL | tokens/s | of peak FLOPs | peak GiB |\n|---|---|---|---|---|---|---|\n"
)
UNMEASURED = "unmeasured"


def write_table(cases: list[str]) -> None:
    """Every case on every device that was measured; "unmeasured" where there is none."""
    known: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    TABLE.write_text(HEAD + "\n".join(table_lines(cases, known)) + "\n")


def table_lines(cases: list[str], known: list[dict[str, Any]]) -> list[str]:
    """The rows of the table."""
    lines = []
    for case in cases:
        mine = [each for each in known if each["case"] == case]
        first = "-" if case.endswith("/trl") else UNMEASURED
        lines += [line(each, over_trl(each, known)) for each in mine] or [
            f"| {case} | - | {UNMEASURED} | {first} | {UNMEASURED} | {UNMEASURED} | {UNMEASURED} |"
        ]
    return lines


def over_trl(found: dict[str, Any], known: list[dict[str, Any]]) -> str:
    """Rows/s of `found` over TRL's in the same case on the same device; in words where there is no such number."""
    if found["case"].endswith("/trl") or FAILED in found:
        return "-"
    other = f"{found['case'].rpartition('/')[0]}/trl"
    theirs = [each for each in known if (each["case"], each["device"]) == (other, found["device"])]
    if not theirs:
        return UNMEASURED
    if FAILED in theirs[0]:
        return f"TRL: {theirs[0][FAILED]}"
    return f"{found['rows_per_second'] / theirs[0]['rows_per_second']:.2f}"


def line(found: dict[str, Any], ratio: str) -> str:
    """One measured case."""
    start = f"| {found['case']} | {found['device']} |"
    if FAILED in found:
        return f"{start} {found[FAILED]} | {ratio} | - | - | - |"
    peak = next((flops for word, flops in PEAK_TFLOPS.items() if word in found["device"]), None)
    share = "-" if peak is None else f"{found['flops_per_second'] / (peak * 1e12):.0%}"
    memory = "-" if found["peak_gib"] is None else f"{found['peak_gib']:.1f}"
    rates = f"{found['rows_per_second']:.2f} | {ratio} | {found['tokens_per_second']:,.0f}"
    return f"{start} {rates} | {share} | {memory} |"
