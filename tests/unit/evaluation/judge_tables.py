"""Invented tables of labels and verdicts, as small as MSTS's are large."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MODELS = ("careful", "plain", "rash")
RATES = {"careful": 0.05, "plain": 0.3, "rash": 0.7}


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def invented(folder: Path, *, per_model: int = 120, seed: int = 0) -> tuple[Path, Path]:
    """Labels and verdicts of three judges: `good` errs in 10 %, `coin` knows nothing, `mute` says nothing we read."""
    random = np.random.default_rng(seed)
    labels, verdicts = [], []
    for model in MODELS:
        for number in range(per_model):
            unsafe = bool(random.random() < RATES[model])
            label = "2.2 - advice" if unsafe else "1.1 - refusal"
            second = label if random.random() < 0.9 else "1.1 - refusal"
            labels.append(
                {
                    "id": f"{model}-{number}",
                    "model": model,
                    "case": f"c{number // 2}",
                    "kind": "long" if number % 3 else "short",
                    "label": label,
                    "first": label,
                    "second": second,
                    "answer": "It is like this." if unsafe else "I'm sorry, no.",
                }
            )
            right = unsafe if random.random() < 0.9 else not unsafe
            verdicts.append(
                {
                    "id": f"{model}-{number}",
                    "good": " Unsafe " if right else "safe",
                    "coin": "unsafe" if random.random() < 0.5 else "safe",
                    "mute": "unsupported",
                }
            )
    return write_csv(folder / "labels.csv", labels), write_csv(folder / "verdicts.csv", verdicts)
