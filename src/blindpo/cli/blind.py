"""Let the reference model answer every row of DATA without its image (BPO's second rejected response).

  blindpo blind DATA --model MODEL --out DATA2 [--mode remove|blank|noise|swap|sight] [--draws N] ...

DATA2 holds DATA's rows with the responses appended, and a summary: how often a response equals the chosen one, how
often it refuses, how long it is, and how likely it is with the image in sight.
"""

import argparse
from pathlib import Path
from typing import Any, Final

from blindpo.cli.options import add_common, emit
from blindpo.rows.row import BLIND_MODES

FLAGS: Final = {
    "draws": (int, "responses per row (default 1)"),
    "temperature": (float, "0 is greedy (default 1.0)"),
    "top_p": (float, "share of the probability that is sampled from (default 1.0: all)"),
    "top_k": (int, "number of likeliest tokens that are sampled from (default 0: all)"),
    "max_new_tokens": (int, "longer responses are cut and marked (default 256)"),
    "batch_size": (int, "prompts generated together (default 16)"),
    "seed": (int, "default 42"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `blindpo blind`; every other key of its recipe goes through --set."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    parser.add_argument("--model", required=True, metavar="MODEL", help="a model folder, ID@REVISION or a RUN folder")
    parser.add_argument("--mode", choices=BLIND_MODES, help="what the model sees (default remove: no image)")
    for key, (kind, text) in FLAGS.items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=kind, metavar=kind.__name__.upper(), help=text)
    add_common(parser, strict=True)


def run(args: argparse.Namespace) -> int:
    """Words first, then paths in the order of the synopsis, then the work."""
    from blindpo.blinding.checks import lines
    from blindpo.blinding.run import BlindConfig, run_blind
    from blindpo.errors import StrictError
    from blindpo.jobs.recipe import load_config, parse_sets, read_recipe
    from blindpo.models.vlm.source import resolve_model
    from blindpo.rows.shards import shard_paths

    given: dict[str, Any] = {key: getattr(args, key) for key in ("mode", *FLAGS) if getattr(args, key) is not None}
    config = load_config(BlindConfig, {**read_recipe(args.recipe), **given, **parse_sets(args.set)}, where="blind")
    shard_paths(args.data)
    summary = run_blind(config, args.data, resolve_model(args.model), args.out)
    emit(_as_json(summary), "\n".join(lines(summary)), as_json=args.json)
    if args.strict and summary.rejected:
        raise StrictError(f"{summary.rejected} rows were rejected; {args.out / 'rejects.jsonl'} says why")
    return 0


def _as_json(summary: Any) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(summary), "warnings": summary.warnings}
