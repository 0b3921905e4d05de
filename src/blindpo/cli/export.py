"""Write rows back in another format: blindpo export FORMAT DATA --out OUT [--images DIR].

OUT of mmsafe-po and llava is one JSON file, of hh-rlhf one file of JSON lines (OUT.gz: gzipped), of trl a folder with a
Parquet shard (OUT.parquet: that file). Only trl holds the images itself; the others name them, and --images writes
them to a folder of its own.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo export`."""
    parser.add_argument("format", metavar="FORMAT", help="mmsafe-po, trl, llava or hh-rlhf")
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    parser.add_argument("--images", type=Path, metavar="DIR", help="write the images here too")
    add_common(parser, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Export and say how many rows, and which could not be written."""
    from blindpo.intake.export_rows import export_data

    summary = export_data(args.format, args.data, args.out, images=args.images)
    lines = [f"left out: {row_id}: {reason}" for row_id, reason in summary.left_out.items()]
    lines.append(f"{summary.rows} rows written to {args.out}, {len(lines)} left out")
    emit({**asdict(summary), "out": str(args.out)}, "\n".join(lines), as_json=args.json)
    return 0
