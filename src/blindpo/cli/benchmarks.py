"""List the safety benchmarks that can be imported: size, licence, what each measures, what lies on this disk.

blindpo benchmarks [--data DIR]                 DIR/NAME is where each benchmark was downloaded to
blindpo import NAME DIR/NAME --out DATA         then reads one of them into rows
"""

import argparse
from pathlib import Path
from typing import Any

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo benchmarks`."""
    parser.add_argument("--data", type=Path, metavar="DIR", help="say what DIR/NAME holds of each benchmark")
    add_common(parser, out=False, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    from blindpo.datasets.table import list_benchmarks
    from blindpo.errors import SourceError

    if args.data is not None and not args.data.is_dir():
        raise SourceError(f"--data {args.data} is not a folder; give the one that holds a folder for each benchmark")
    cards = list_benchmarks(args.data)
    emit({"benchmarks": cards}, "\n".join(map(_words, cards)), as_json=args.json)
    return 0


def _words(card: dict[str, Any]) -> str:
    lines = [
        f"{card['name']}: {card['title']}" + ("" if card["verified"] else " (layout unverified)"),
        f"  size       {card['size']}",
        f"  measures   {card['measures']}" + ("; tests modality cheating" if card["cheating"] else ""),
        f"  licence    {card['licence']}",
        f"  source     {card['url']}" + (f" at {card['revision'][:12]}" if card["revision"] else ""),
        f"  protocols  {', '.join(card['protocols'])}",
    ]
    if "on_disk" in card:
        lines.append(f"  on disk    {card['on_disk']}" + (f": {card['missing']}" if card["missing"] else ""))
        if card["on_disk"] == "nothing":
            lines.append(f"  to get it  {card['fetch']}")
    return "\n".join(lines)
