"""Judge the stored responses of an evaluation again, without a model: blindpo rejudge EVAL --judge JUDGE --out EVAL2.

EVAL2 holds the same rows and responses, with the verdicts of the other judge. A judge that is down gives bounds and no
rate, and exit status 1; the same command asks only for what is missing (docs/judges.md).
"""

import argparse
from pathlib import Path

from blindpo.cli.measures_table import emit_measures
from blindpo.cli.options import add_common, add_config, read_config
from blindpo.evaluation.config import RejudgeConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo rejudge`."""
    parser.add_argument("eval", type=Path, metavar="EVAL", help="a folder of 'blindpo evaluate'")
    add_config(parser, RejudgeConfig)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Judge again and print the measures."""
    config = read_config(RejudgeConfig, args, where="options")
    from blindpo.evaluation.run import rejudge

    return emit_measures(rejudge(args.eval, config, args.out), args, allow_missing=config.judge_allow_missing)
