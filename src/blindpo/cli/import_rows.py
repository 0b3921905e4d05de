"""Read released preference data, or a benchmark's download, into rows.

blindpo import FORMAT SOURCE [--images DIR] --out DATA
blindpo import BENCHMARK DIR [--only WORDS] --out DATA      ('blindpo benchmarks' lists them)

For a benchmark the hashes of the files that were read are written into DIR as blindpo-checksums.json, so that a later
import notices a changed file; where DIR cannot be written, into DATA's manifest.json alone.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from blindpo.cli.options import add_common, emit
from blindpo.errors import ConfigError, StrictError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo import`."""
    parser.add_argument("format", metavar="FORMAT", help="mmsafe-po, trl, llava or hh-rlhf; or a benchmark")
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="the file (trl, hh-rlhf: or folder) that was downloaded"
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="the folder that holds the pictures")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="of a benchmark: subsets or categories to keep, by commas"
    )
    add_common(parser, recipe=False, strict=True)


def run(args: argparse.Namespace) -> int:
    """Import, print the counts."""
    from blindpo.datasets.benchmarks.table import BENCHMARKS
    from blindpo.datasets.formats.keys import unused_words
    from blindpo.intake.import_rows import import_data, require_strict

    if args.format in BENCHMARKS:
        return _import_benchmark(args)
    if args.only:
        raise ConfigError(f"--only has no effect with the format {args.format}; it is for a benchmark")
    summary = import_data(args.format, args.source, args.out, images=args.images)
    text = f"read {summary.read} = kept {summary.kept} + rejected {summary.rejected}; rows in {args.out}"
    if summary.rejected:
        text += f", reasons in {args.out / 'rejects.jsonl'}"
    if unused := unused_words(summary.not_used.items()):
        text += f"\n{unused}"
    emit(asdict(summary), text, as_json=args.json)
    if args.strict:
        require_strict(summary, args.out)
    return 0


def _import_benchmark(args: argparse.Namespace) -> int:
    from blindpo.datasets.benchmarks.download import CHECKSUMS
    from blindpo.datasets.benchmarks.import_benchmark import import_benchmark
    from blindpo.datasets.formats.keys import unused_words

    if args.images is not None:
        raise ConfigError("--images has no effect with a benchmark, whose pictures lie in its own folder; leave it out")
    only = [word.strip() for word in args.only.split(",") if word.strip()]
    found = import_benchmark(args.format, args.source, args.out, only=only)
    of = "" if found.released is None else f" of the {found.released} that were released"
    lines = [f"{found.benchmark}: {found.rows} rows{of}, {found.rejected} records rejected; rows in {args.out}"]
    if found.complete is False:
        lines.append("These are not the whole release: every score of them is marked as incomplete.")
    if found.rejected:
        lines.append(f"Reasons, and what to fetch, are in {args.out / 'rejects.jsonl'}")
    if found.layout.startswith("unverified"):
        lines.append(f"This adapter's layout is {found.layout}")
    if unused := unused_words(found.not_used.items()):
        lines.append(unused)
    if found.checksums_kept_beside_the_data:
        lines.append(
            f"Hashes of the files read are kept in {args.source / CHECKSUMS}: a changed file is noticed later."
        )
    else:
        lines.append(f"{args.source} cannot be written: hashes of the files read are in {args.out / 'manifest.json'}")
    emit(asdict(found), "\n".join(lines), as_json=args.json)
    if args.strict and (found.rejected or found.complete is False):
        raise StrictError(
            f"{found.rejected} records of {found.benchmark} were rejected, or rows are missing: {of.strip()}"
        )
    return 0
