"""Read released preference data into rows: blindpo import FORMAT SOURCE [--images DIR] --out DATA."""

import argparse
from dataclasses import asdict
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo import`."""
    parser.add_argument("format", metavar="FORMAT", help="mmsafe-po, trl, llava or hh-rlhf")
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="the file (trl, hh-rlhf: or folder) that was downloaded"
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="the folder that holds the pictures")
    add_common(parser, recipe=False, strict=True)


def run(args: argparse.Namespace) -> int:
    """Import, print the counts."""
    from blindpo.intake.importing import import_data, require_strict

    summary = import_data(args.format, args.source, args.out, images=args.images)
    text = f"read {summary.read} = kept {summary.kept} + rejected {summary.rejected}; rows in {args.out}"
    if summary.rejected:
        text += f", reasons in {args.out / 'rejects.jsonl'}"
    emit(asdict(summary), text, as_json=args.json)
    if args.strict:
        require_strict(summary, args.out)
    return 0
