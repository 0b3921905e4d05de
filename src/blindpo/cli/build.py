"""Make multimodal preference rows out of text-only ones (the paper's modality interpretation).

  blindpo build SOURCE --out DATA [--recipe recipes/build_default.yaml] [--catalogue DIR] ...

SOURCE is HH-RLHF (.jsonl, .jsonl.gz or a folder of them), or a data folder that 'blindpo import' wrote. Entities of the
last user turn are recognised, each gets an image, the name becomes a phrase that points to it, rules filter; DATA
holds rows, funnel.json, rejects.jsonl, attributions.csv and a data card. docs/building.md explains stages and recipes.
"""

import argparse
from pathlib import Path

from blindpo.building.config import BuildConfig
from blindpo.cli.options import add_common, add_config, add_engine, emit, read_config, refuse_rejects


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo build`."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="HH-RLHF files, or a data folder")
    add_engine(parser, workers=None, what="")
    add_config(parser, BuildConfig)
    add_common(parser, strict=True)


def run(args: argparse.Namespace) -> int:
    """Words first, then paths in the order of the synopsis, then the work."""
    from dataclasses import asdict

    from blindpo.building.funnel import lines_of
    from blindpo.building.run import check_names, run_build
    from blindpo.building.twins import lines_of_twins
    from blindpo.jobs.engine import Engine, usable_cores

    engine = Engine(name=args.engine, workers=usable_cores() if args.workers is None else args.workers)
    config = read_config(BuildConfig, args, where="options")
    check_names(config)
    summary = run_build(config, args.source, args.out, engine=engine)
    lines = [*lines_of(summary.funnel), *(f"flag {name}: {n} rows" for name, n in summary.flags.items())]
    lines += lines_of_twins(summary.twins)
    lines.append(f"{summary.kept} rows with {summary.images} distinct images in {args.out}; reasons in rejects.jsonl")
    emit({**asdict(summary), "out": str(args.out)}, "\n".join(lines), as_json=args.json)
    refuse_rejects(args, summary.rejected, "items")
    return 0
