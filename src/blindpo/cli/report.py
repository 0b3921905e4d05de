"""Write one page from evaluations and runs: the table, the picture, the curves, examples. No network, no script."""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo report`."""
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="EVAL|RUN", help="folders of 'blindpo evaluate' and 'blindpo train'"
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="results over seeds, as 'blindpo demo' writes them"
    )
    add_common(parser, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Write the page and say what it shows."""
    from blindpo.report.page import write_report

    summary = write_report(args.sources, args.out, results=args.results)
    counts = {"evaluations": summary.evaluations, "runs": summary.runs, "examples": summary.examples}
    listed = ", ".join(f"{what} {count}" for what, count in counts.items())
    emit(
        {"out": str(summary.out), "headline": summary.headline, **counts},
        f"{summary.headline}\n{summary.out}: {listed}",
        as_json=args.json,
    )
    return 0
