"""Let the reference model answer every row of DATA without its image (BPO's second rejected response).

  blindpo blind DATA --model MODEL --out DATA2 [--view removed|blank|noise|swapped|as_is] [--draws N] ...
  blindpo blind DATA --responses FILE --out DATA2       (JSON lines with row_id and text that were made elsewhere)
  blindpo blind DATA --model MODEL --part 1/4 --out PART     (a share of the rows, on one machine of 4)
  blindpo blind PART... --merge --out DATA2             (joins all parts)

MODEL: a model folder, a hub id ID@REVISION, a RUN folder, or chat:NAME on any OpenAI-compatible server (--set
model_base_url=URL). DATA2 holds DATA's rows with the responses appended, and a summary: how often a response equals
the chosen one, how often it refuses, how long it is, and, from a local model, how likely it is with the image in sight.
"""

import argparse
from pathlib import Path
from typing import Any, Final

from blindpo.cli.options import add_common, emit
from blindpo.errors import ConfigError
from blindpo.rows.view_names import BLIND_VIEWS

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
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA", help="a data folder (with --merge: all parts)")
    parser.add_argument("--model", metavar="MODEL", help="a folder, ID@REVISION, a RUN folder, or chat:NAME")
    parser.add_argument("--responses", type=Path, metavar="FILE", help="JSON lines with row_id and text, instead")
    parser.add_argument(
        "--view", metavar="VIEW", help=f"what the model sees: {', '.join(BLIND_VIEWS)} (default removed: no image)"
    )
    for key, (kind, text) in FLAGS.items():
        parser.add_argument(f"--{key.replace('_', '-')}", type=kind, metavar=kind.__name__.upper(), help=text)
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="where a local model's shards are made"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes, or Ray actors, each with the model"
    )
    parser.add_argument("--part", metavar="NUMBER/OF", help="answer this share of the rows alone, for --merge")
    parser.add_argument("--merge", action="store_true", help="join all parts of one run")
    add_common(parser, strict=True)


def run(args: argparse.Namespace) -> int:
    """Words first, then paths in the order of the synopsis, then the work."""
    from blindpo.blinding.checks import lines
    from blindpo.errors import StrictError

    _require_words(args)
    summary = _summary(args)
    if summary is None:
        emit({"part": args.part}, f"part {args.part} in {args.out}; join all with --merge", as_json=args.json)
        return 0
    emit(_as_json(summary), "\n".join(lines(summary)), as_json=args.json)
    if args.strict and summary.rejected:
        raise StrictError(f"{summary.rejected} rows were rejected; {args.out / 'rejects.jsonl'} says why")
    return 0


def _require_words(args: argparse.Namespace) -> None:
    """Raise ConfigError for words that do not go together; paths are looked at later."""
    chosen = _chosen(args)
    words = {"--model": args.model, "--responses": args.responses, "--part": args.part, "--recipe": args.recipe}
    words |= {"--set": args.set or None, **{f"--{key.replace('_', '-')}": value for key, value in chosen.items()}}
    spread = args.engine != "local" or args.workers != 1
    if args.merge:
        given = [word for word, value in words.items() if value is not None] + ["--workers"] * spread
        if given:
            raise ConfigError(f"{given[0]} has no effect with --merge, which asks nobody; leave one of the two out")
        return
    if len(args.data) != 1:
        raise ConfigError(f"{len(args.data)} folders were given; one is needed (several with --merge)")
    if (args.model is None) == (args.responses is None):
        raise ConfigError("give either --model (a folder, ID@REVISION, a RUN folder, chat:NAME) or --responses FILE")
    if spread and (args.responses is not None or str(args.model).startswith("chat:")):
        raise ConfigError("--engine and --workers are for a local --model; leave them out")
    if args.part is not None and args.responses is not None:
        raise ConfigError("--part has no effect with --responses, which asks no model; leave one of the two out")


def _chosen(args: argparse.Namespace) -> dict[str, Any]:
    return {key: getattr(args, key) for key in ("view", *FLAGS) if getattr(args, key) is not None}


def _summary(args: argparse.Namespace) -> Any:
    """The summary of the whole run; None where a part was made."""
    from blindpo.answer.answerer import find_answerer
    from blindpo.blinding.config import BlindConfig
    from blindpo.blinding.run import blind_part, merge_blind, run_blind
    from blindpo.jobs.engine import Engine
    from blindpo.jobs.recipe import load_config, parse_sets, read_recipe
    from blindpo.jobs.shards import parse_part
    from blindpo.rows.shards import shard_paths

    if args.merge:
        return merge_blind(args.data, args.out)
    values = {**read_recipe(args.recipe), **_chosen(args), **parse_sets(args.set)}
    config = load_config(BlindConfig, values, where="blind")
    part = None if args.part is None else parse_part(args.part)
    data, engine = args.data[0], Engine(name=args.engine, workers=args.workers)
    shard_paths(data)
    answerer = find_answerer(config, data, args.out, model=args.model, responses=args.responses, view=config.view)
    if part is None:
        return run_blind(config, data, answerer, args.out, engine=engine)
    blind_part(config, data, answerer, args.out, part=part, engine=engine)
    return None


def _as_json(summary: Any) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(summary), "warnings": summary.warnings}
