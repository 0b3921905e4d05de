"""Make rows that ask the model itself which of a pair's two responses is safe, in both orders.

blindpo pairwise-rows DATA --out PAIRS
blindpo evaluate PAIRS --model MODEL --judge refusal-rules --likelihoods false --out EVAL
blindpo protocols EVAL --use mmsafe/pairwise-prompted --out SCORES
"""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo pairwise-rows`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder whose rows have chosen and rejected")
    add_common(parser, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Write the rows, print the counts."""
    from blindpo.evaluation.suite.pairwise_rows import write_pairwise_rows

    kept, rejected = write_pairwise_rows(args.data, args.out)
    text = f"{kept} rows, two a pair, in {args.out}; {rejected} rows have no pair"
    emit({"rows": kept, "without_pair": rejected, "out": str(args.out)}, text, as_json=args.json)
    return 0
