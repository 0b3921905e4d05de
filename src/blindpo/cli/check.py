"""Test every row and image: blindpo check DATA [--model MODEL] [--max-length N]."""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit
from blindpo.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo check`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    parser.add_argument("--model", metavar="MODEL", help="count tokens with this model's processor")
    parser.add_argument(
        "--max-length", type=int, metavar="N", help="name rows over N tokens (default: what the model takes)"
    )
    add_common(parser, out=False, recipe=False, strict=True)


def run(args: argparse.Namespace) -> int:
    """Check and print what is wrong; 1 where no row is sound, or any is not under --strict."""
    if args.max_length is not None and args.max_length < 1:
        raise ConfigError(f"--max-length is {args.max_length}; it must be 1 or more tokens")
    if args.max_length is not None and args.model is None:
        raise ConfigError("--max-length has no effect without --model, whose processor counts the tokens; give both")
    from blindpo.intake.check import check_data
    from blindpo.models.vlm.source import resolve_model
    from blindpo.rows.shards import shard_paths

    shard_paths(args.data)
    model = resolve_model(args.model) if args.model else None
    summary = check_data(args.data, model=model, max_length=args.max_length)
    lines = [f"{f.row_id}: {f.field}: {f.reason}" for f in summary.findings]
    lines.append(f"{summary.sound} of {summary.rows} rows are sound")
    if summary.lengths:
        sizes = sorted(summary.lengths.values())
        lines.append(f"tokens a row: {sizes[0]} to {sizes[-1]}, median {sizes[len(sizes) // 2]}; limit {summary.limit}")
        lines.append(f"{len(summary.over_limit)} of {len(sizes)} rows are over the limit")
        lines += [f"over the limit: {row_id} ({summary.lengths[row_id]} tokens)" for row_id in summary.over_limit]
    emit(summary.to_json(), "\n".join(lines), as_json=args.json)
    failed = summary.sound == 0 or (args.strict and (summary.findings or summary.over_limit))
    return 1 if failed else 0
