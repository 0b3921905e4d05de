"""Let the reference model answer every row of DATA without its image (BPO's second rejected response).

  blindpo blind DATA --model MODEL --out DATA2 [--view removed|blank|noise|swapped|as_is] [--draws N] ...
  blindpo blind DATA --responses FILE --out DATA2       (JSON lines with row_id and text that were made elsewhere)
  blindpo blind DATA --model MODEL --part 1/4 --out PART     (a share of the rows, on one machine of 4)

MODEL: a model folder, a hub id ID@REVISION, a RUN folder, or chat:NAME on any OpenAI-compatible server
(--model_server.base_url URL). DATA2 holds DATA's rows with the responses appended, and a summary: how often a response
equals the chosen one, how often it refuses, how long it is, and, from a local model, how likely it is with the image in
sight. 'blindpo merge' joins parts.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from blindpo.blinding.config import BlindConfig
from blindpo.cli.options import (
    add_answerer,
    add_common,
    add_config,
    emit,
    read_config,
    refuse_rejects,
    require_answerer,
)

if TYPE_CHECKING:
    from blindpo.blinding.checks import BlindSummary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo blind`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    add_answerer(parser)
    add_config(parser, BlindConfig)
    add_common(parser, strict=True)


def run(args: argparse.Namespace) -> int:
    """Words first, then paths in the order of the synopsis, then the work."""
    require_answerer(args)
    config = read_config(BlindConfig, args, where="options")
    from blindpo.answer.answerer import find_answerer
    from blindpo.blinding.run import run_blind
    from blindpo.jobs.engine import Engine
    from blindpo.jobs.shards import WHOLE, parse_part
    from blindpo.rows.shards import shard_paths

    part = WHOLE if args.part is None else parse_part(args.part)
    engine = Engine(name=args.engine, workers=args.workers)
    shard_paths(args.data)
    answerer = find_answerer(config, args.data, args.out, model=args.model, responses=args.responses, view=config.view)
    summary = run_blind(config, args.data, answerer, args.out, part=part, engine=engine)
    if summary is None:
        text = f"part {args.part} in {args.out}; join all with 'blindpo merge PART... --out DATA2'"
        emit({"part": args.part}, text, as_json=args.json)
        return 0
    emit_summary(summary, args)
    refuse_rejects(args, summary.rejected)
    return 0


def emit_summary(summary: "BlindSummary", args: argparse.Namespace) -> None:
    """Print what blinding, or joining its parts, made."""
    from blindpo.blinding.checks import lines

    emit({**asdict(summary), "warnings": summary.warnings}, "\n".join(lines(summary)), as_json=args.json)
