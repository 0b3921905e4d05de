"""Count what a data folder holds: blindpo stats DATA."""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo stats`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    add_common(parser, out=False, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Count and print."""
    from blindpo.intake.counting import count

    counts = count(args.data)
    emit(counts, "\n".join(f"{name:<24}{_shown(value)}" for name, value in counts.items()), as_json=args.json)
    return 0


def _shown(value: object) -> str:
    """A count, or counts by name on one line."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name}: {number}" for name, number in value.items()) or "none"
