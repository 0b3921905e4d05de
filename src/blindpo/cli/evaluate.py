"""Measure safety, over-refusal and modality cheating, with intervals.

blindpo evaluate DATA --model MODEL --judge JUDGE --out EVAL
blindpo evaluate DATA --responses FILE --judge JUDGE --out EVAL      (JSON lines that were made elsewhere)
blindpo evaluate DATA --model MODEL --part 1/4 ... --out PART        (a share of the responses, on one machine of 4)

MODEL: a model folder, a hub id ID@REVISION, a RUN folder, or chat:NAME on any OpenAI-compatible server
(--model_server.base_url URL --likelihoods false). A judge that is down gives bounds and no rate, and exit status 1; the
same command asks only for what is missing (docs/judges.md).

'blindpo merge' joins parts, 'blindpo rejudge' asks another judge, 'blindpo suite' compares several models.
"""

import argparse
from pathlib import Path

from blindpo.cli.measures_table import emit_measures
from blindpo.cli.options import add_answerer, add_common, add_config, emit, read_config, require_answerer
from blindpo.evaluation.config import EvaluateConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo evaluate`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    add_answerer(parser)
    add_config(parser, EvaluateConfig)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate and print the measures."""
    require_answerer(args)
    config = read_config(EvaluateConfig, args, where="options")
    from blindpo.answer.answerer import find_answerer
    from blindpo.evaluation.run import evaluate
    from blindpo.jobs.engine import Engine
    from blindpo.jobs.shards import WHOLE, parse_part
    from blindpo.rows.shards import shard_paths

    part = WHOLE if args.part is None else parse_part(args.part)
    engine = Engine(name=args.engine, workers=args.workers)
    shard_paths(args.data)  # paths in the order of the synopsis: the data before the model
    answerer = find_answerer(
        config, args.data, args.out, model=args.model, responses=args.responses, likelihoods=config.likelihoods
    )
    summary = evaluate(config, args.data, answerer, args.out, part=part, engine=engine)
    if part != WHOLE:
        text = f"part {args.part} in {args.out}; join all with 'blindpo merge PART... --out EVAL'"
        emit(summary.results, text, as_json=args.json)
        return 0
    return emit_measures(summary, args, allow_missing=config.judge_allow_missing)
