"""Read released preference data, or a benchmark's download, into rows.

blindpo import FORMAT SOURCE [--images DIR] --out DATA
blindpo import BENCHMARK DIR [--only WORDS] --out DATA      ('blindpo benchmarks' lists them)

For a benchmark the hashes of the files that were read are written into DIR as blindpo-checksums.json, so that a later
import notices a changed file; where DIR cannot be written, into DATA's manifest.json alone.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from blindpo.cli.options import add_common, emit

if TYPE_CHECKING:
    from blindpo.datasets.importer import ImportSummary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo import`."""
    parser.add_argument("format", metavar="FORMAT", help="mmsafe-po, trl, llava or hh-rlhf; or a benchmark")
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="the downloaded file, or folder for trl and hh-rlhf"
    )
    parser.add_argument("--images", type=Path, metavar="DIR", help="the folder that holds the images of a format")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="of a benchmark: subsets or categories to keep, by commas"
    )
    add_common(parser, recipe=False, strict=True)


def run(args: argparse.Namespace) -> int:
    """Import, print the counts."""
    from blindpo.datasets.importer import import_data, require_strict

    only = [word.strip() for word in args.only.split(",") if word.strip()]
    summary = import_data(args.format, args.source, args.out, images=args.images, only=only)
    emit(summary.to_json(), "\n".join(_lines(summary, args)), as_json=args.json)
    if args.strict:
        require_strict(summary, args.out)
    return 0


def _lines(summary: "ImportSummary", args: argparse.Namespace) -> Iterator[str]:
    """What a person is told."""
    from blindpo.datasets.download import CHECKSUMS
    from blindpo.datasets.keys import unused_words

    release, reasons = summary.release, args.out / "rejects.jsonl"
    if release is None:
        counts = f"read {summary.read} = kept {summary.kept} + rejected {summary.rejected}; rows in {args.out}"
        yield f"{counts}, reasons in {reasons}" if summary.rejected else counts
    else:
        of = "" if release.released is None else f" of the {release.released} that were released"
        rejected = f"{summary.rejected} records rejected"
        yield f"{release.benchmark}: {summary.kept} rows{of}, {rejected}; rows in {args.out}"
        if release.complete is False:
            yield "These are not the whole release: every score of them is marked as incomplete."
        if summary.rejected:
            yield f"Reasons, and what to fetch, are in {reasons}"
        if release.layout.startswith("unverified"):
            yield f"The layout of this benchmark is {release.layout}"
    if unused := unused_words(summary.not_used.items()):
        yield unused
    if release is not None and release.checksums_kept_beside_the_data:
        yield f"Hashes of the files read are kept in {args.source / CHECKSUMS}: a changed file is noticed later."
    elif release is not None:
        yield f"{args.source} cannot be written: hashes of the files read are in {args.out / 'manifest.json'}"
