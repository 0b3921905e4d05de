"""Join the parts of one run that several machines made.

blindpo merge PART... --out DATA2                  (parts of 'blindpo blind')
blindpo merge PART... --judge JUDGE --out EVAL     (parts of 'blindpo evaluate', which are judged here, all at once)

Each PART is an --out of the same command with --part NUMBER/OF. The parts of 'blindpo blind' become the bytes that
one machine would have written; those of 'blindpo evaluate' its responses, verdicts and measures.
"""

import argparse
from pathlib import Path

from blindpo.cli.blind import emit_summary
from blindpo.cli.measures_table import emit_measures
from blindpo.cli.options import add_common, add_config, flags_of, read_config
from blindpo.errors import ConfigError
from blindpo.evaluation.config import RejudgeConfig
from blindpo.jobs.recipe import parse_sets, read_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo merge`."""
    parser.add_argument("parts", nargs="+", type=Path, metavar="PART", help="all parts of one run")
    add_config(parser, RejudgeConfig, required="required for parts of 'blindpo evaluate'")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Join the parts, judge where there is something to judge, and print what the whole run would have printed."""
    from blindpo.jobs.shards import part_command

    return _merge_blind(args) if part_command(args.parts[0]) == "blind" else _merge_evaluate(args)


def _merge_blind(args: argparse.Namespace) -> int:
    from blindpo.blinding.run import merge_blind

    given = _given(args)
    if given:
        raise ConfigError(f"{given[0]} has no effect with parts of 'blindpo blind', which no judge sees; leave it out")
    emit_summary(merge_blind(args.parts, args.out), args)
    return 0


def _given(args: argparse.Namespace) -> list[str]:
    return [*read_recipe(args.recipe), *flags_of(RejudgeConfig, args), *parse_sets(args.set)]


def _merge_evaluate(args: argparse.Namespace) -> int:
    if "judge" not in _given(args):
        raise ConfigError(
            "give --judge: the parts are those of 'blindpo evaluate', and their responses are judged here"
        )
    config = read_config(RejudgeConfig, args, where="options")
    from blindpo.evaluation.run import merge_parts

    summary = merge_parts(args.parts, config, args.out)
    return emit_measures(summary, args, allow_missing=config.judge_allow_missing)
