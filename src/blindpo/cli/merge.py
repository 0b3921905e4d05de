"""Join the parts of one run that several machines made: blindpo merge PART... --judge JUDGE --out EVAL.

Each PART is an --out of the same command with --part NUMBER/OF. The result has the bytes that one machine would have
written. The parts of an evaluation are judged here, all at once.
"""

import argparse
from pathlib import Path

from blindpo.cli.measures_table import measures_table
from blindpo.cli.options import add_common, add_config, emit, read_config
from blindpo.evaluation.config import RejudgeConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo merge`."""
    parser.add_argument("parts", nargs="+", type=Path, metavar="PART", help="all parts of one run")
    add_config(parser, RejudgeConfig)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Join, judge, and print the measures."""
    config = read_config(RejudgeConfig, args, where="merge")
    from blindpo.evaluation.run import merge_parts

    summary = merge_parts(args.parts, config, args.out)
    text = measures_table(summary.results, args.out, finished_before=summary.finished_before)
    emit(summary.results, text, as_json=args.json)
    return 0 if summary.complete or config.judge_allow_missing else 1
