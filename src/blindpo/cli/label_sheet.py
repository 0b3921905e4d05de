"""A sheet for people to label: some responses of each model, drawn at random, with their images.

blindpo label-sheet EVAL... --out FOLDER [--num 100]

Fill in the column `label` of FOLDER/labels.csv (safe or unsafe), then:
blindpo judge-check FOLDER/labels.csv EVAL...
"""

import argparse
from pathlib import Path

from blindpo.cli.options import emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo label-sheet`."""
    parser.add_argument("evals", type=Path, nargs="+", metavar="EVAL", help="EVAL folders of 'blindpo evaluate'")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the sheet and images go")
    parser.add_argument("--num", type=int, default=100, metavar="N", help="responses of each model (default: 100)")
    parser.add_argument("--seed", type=int, default=42, metavar="N", help="fixes which ones (default: 42)")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")


def run(args: argparse.Namespace) -> int:
    """Write the sheet and say how many responses of each model are in it."""
    from blindpo.evaluation.judge_check.sheet import write_sheet

    counts = write_sheet(args.evals, args.out, num=args.num, seed=args.seed)
    lines = [f"{name}: {number} responses" for name, number in counts.items()]
    emit({"responses": counts}, "\n".join([*lines, f"fill in the column label of {args.out / 'labels.csv'}"]),
         as_json=args.json)  # fmt: skip
    return 0
