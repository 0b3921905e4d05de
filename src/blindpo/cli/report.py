"""Write one page from evaluations and runs: the table, the figure, the curves, examples. No network, no script."""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo report`."""
    parser.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="folders of 'blindpo evaluate' (suites too), 'train' and 'protocols'",
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="results over seeds, as 'blindpo demo' writes them"
    )
    parser.add_argument(
        "--tasks", nargs="+", default=[], metavar="MODEL=FILE", help="results.json of lm-eval or lmms-eval by model"
    )
    add_common(parser, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Write the page and say what it shows."""
    from blindpo.reporting.extras import parse_tasks
    from blindpo.reporting.page import write_report

    summary = write_report(args.sources, args.out, results=args.results, tasks=parse_tasks(args.tasks))
    counts = {"evaluations": summary.evaluations, "runs": summary.runs, "examples": summary.examples}
    listed = ", ".join(f"{what} {count}" for what, count in counts.items())
    emit(
        {"out": str(summary.out), "headline": summary.headline, **counts},
        f"{summary.headline}\n{summary.out}: {listed}",
        as_json=args.json,
    )
    return 0
