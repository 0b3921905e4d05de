"""One page from evaluations and runs: blindpo report EVAL|RUN... --out page.html."""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo report`."""
    parser.add_argument("sources", type=Path, nargs="+", metavar="EVAL|RUN", help="finished evaluations and runs")
    parser.add_argument("--results", type=Path, metavar="FILE", help="a demo's results.json")
    add_common(parser, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from blindpo.report.page import write_report

    page = write_report(args.sources, args.out, results=args.results)
    emit({"page": str(page)}, f"the page is {page}", as_json=args.json)
    return 0
