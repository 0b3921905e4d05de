"""Count what a data folder holds: blindpo stats DATA [--figures DIR].

With --figures also what the paper reports of its data, for this data, as SVG and PNG beside the paper's figures.
"""

import argparse
from pathlib import Path

from blindpo.cli.options import add_common, emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo stats`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    parser.add_argument("--figures", type=Path, metavar="DIR", help="draw figures there (extra blindpo[figures])")
    add_common(parser, out=False, recipe=False)


def run(args: argparse.Namespace) -> int:
    """Count and print; draw where that was asked for."""
    from blindpo.intake.count import count

    counts = count(args.data)
    lines = [f"{name:<24}{_shown(value)}" for name, value in counts.items()]
    if args.figures is not None:
        from blindpo.intake.figures import draw_figures
        from blindpo.intake.profile import beside_the_paper, numbers, profile

        measured = profile(args.data)
        written = draw_figures(measured, args.figures)
        lines += ["", f"{'':<32}{'this data':>12}{'MMSafe-PO':>12}"]
        lines += [f"{name:<32}{ours:>12}{paper:>12}" for name, ours, paper in beside_the_paper(measured)]
        lines += ["", *(f"wrote {path}" for path in written)]
        counts |= {"figures": [path.name for path in written], "beside_the_paper": numbers(measured)}
    emit(counts, "\n".join(lines), as_json=args.json)
    return 0


def _shown(value: object) -> str:
    """A count, or counts by name on one line."""
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{name}: {number}" for name, number in value.items()) or "none"
