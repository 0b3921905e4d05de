"""The demo's models trained packed and from separate sequences: how many of their answers differ, and what each costs.

Both are trained from the demo's own base, on its own pairs, with the options that the demo uses, and answer its
evaluation rows greedily. Run after `make demo`:

  .venv/bin/python bench/demo_paths.py [--demo runs/demo] [--seed 1]

Two runs of the same arithmetic in another order differ in the last bits; after some updates a token on the edge may
tip. The goal is at most 1 % of answers.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils import logging

from blindpo.demo.settings import BASE, DemoConfig, Variant, searched_variants
from blindpo.demo.story import evaluate_model, train_model
from blindpo.errors import SourceError

GOAL = 0.01


@dataclass(frozen=True)
class Compared:
    """One model both ways."""

    name: str
    answers: int
    different: int
    packed_cpu_seconds: float
    separate_cpu_seconds: float


def compare(condition: Path, variant: Variant, *, seed: int, out: Path) -> Compared:
    """Train and evaluate `variant` on the pairs of `condition` both ways."""
    texts: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}
    for packing in ("on", "off"):
        folder = out / condition.name / variant.name / packing
        folder.mkdir(parents=True)
        for name in ("pairs", "pairs_remove", "pairs_sight", "rows"):
            (folder / name).symlink_to((condition / name).resolve())
        (folder.parent / BASE).unlink(missing_ok=True)
        (folder.parent / BASE).symlink_to((condition.parent / BASE).resolve())
        start = time.process_time()
        train_model(seed, variant, folder, DemoConfig(), packing=packing)
        seconds[packing] = time.process_time() - start
        evaluate_model(folder, variant.name, folder / variant.name)
        lines = (folder / f"eval_{variant.name}" / "responses.jsonl").read_text(encoding="utf-8").splitlines()
        texts[packing] = [str(json.loads(line)["text"]) for line in lines]
    different = sum(one != other for one, other in zip(texts["on"], texts["off"], strict=True))
    name = f"{condition.name}/{variant.name}"
    return Compared(name, len(texts["on"]), different, seconds["on"], seconds["off"])


def main() -> int:
    """Print a line per model and the sums; write bench/out/demo_paths.json. Status 1 above the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", type=Path, default=Path("runs/demo"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    seed_folder = args.demo / f"seed_{args.seed}"
    if not (seed_folder / BASE).is_dir():
        raise SourceError(f"{seed_folder} holds no finished demo; run: make demo")
    torch.set_num_threads(1)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    found: list[Compared] = []
    with tempfile.TemporaryDirectory() as made:
        for condition, variants in searched_variants().items():
            for variant in variants:
                found.append(compare(seed_folder / condition, variant, seed=args.seed, out=Path(made)))
                each = found[-1]
                sys.stdout.write(
                    f"{each.name}: {each.different} of {each.answers} answers differ; CPU time separate / packed "
                    f"{each.separate_cpu_seconds / each.packed_cpu_seconds:.2f}\n"
                )
                sys.stdout.flush()
    answers, different = sum(each.answers for each in found), sum(each.different for each in found)
    ratio = sum(each.separate_cpu_seconds for each in found) / sum(each.packed_cpu_seconds for each in found)
    share = different / answers
    out = Path(__file__).with_name("out")
    out.mkdir(exist_ok=True)
    record = {"models": [vars(each) for each in found], "different_share": share, "cpu_ratio_separate_vs_packed": ratio}
    (out / "demo_paths.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"together: {different} of {answers} greedy answers differ ({share:.2%}; goal {GOAL:.0%} at most); "
        f"CPU time of training, separate / packed: {ratio:.2f}\n"
    )
    return 0 if share <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
