"""Compare several models on several sets of rows, under all protocols that fit, in one folder.

blindpo suite --recipe recipes/suite_safety.yaml --models base=runs/base bpo=runs/bpo --out SUITE
blindpo report SUITE --out page.html

Every step is a run of its own that resumes: the same command again does only what is missing.
"""

import argparse
from pathlib import Path
from typing import Any, Final

from blindpo.cli.measures_table import measure_words
from blindpo.cli.options import add_common, add_config, emit, read_config
from blindpo.errors import ConfigError
from blindpo.evaluation.suite.config import SuiteConfig, parse_models
from blindpo.jobs.recipe import parse_sets, read_recipe

SUITE_MEASURES: Final = (
    "safety_rate", "over_refusal", "pair_both_right", "image_sensitivity", "co_defense_gap", "safety_mid",
    "helpfulness", "pairwise_accuracy", "cheating_refusal", "chosen_logp",
)  # fmt: skip
"""The measures of the table; suite.json holds all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo suite`."""
    parser.add_argument(
        "--models",
        nargs="+",
        required=True,
        metavar="NAME=MODEL",
        help="the models that are compared: a folder, ID@REVISION, a RUN folder, or chat:NAME",
    )
    add_config(parser, SuiteConfig)
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Run what is not done yet and print the table."""
    models = parse_models(args.models)
    for where, values in ((f"--recipe {args.recipe}", read_recipe(args.recipe)), ("--set", parse_sets(args.set))):
        if any(key.partition(".")[0] == "evaluate" for key in values):
            raise ConfigError(
                f"{where}: the keys of the group 'evaluate' are keys of the suite itself now; write them beside the "
                "others, without the group"
            )
    config = read_config(SuiteConfig, args, where="options")
    from blindpo.evaluation.suite.run import run_suite

    results = run_suite(config, models, args.out)
    emit(results, suite_table(results, args.out), as_json=args.json)
    return 1 if results["unfinished"] else 0


def suite_table(results: dict[str, Any], out: Path) -> str:
    """Every set of rows, every model: safety, over-refusal, and what else has a value, for a person."""
    lines = []
    for data in dict.fromkeys(data for of_model in results["models"].values() for data in of_model):
        lines.append(data)
        for model, sets in results["models"].items():
            for name, measure in sets.get(data, {}).items():
                if measure["value"] is not None and name in SUITE_MEASURES:
                    lines.append(f"  {model:<12}{name:<22}{measure_words(measure)}")
    lines += [f"NOT FINISHED: {name}; the same command asks its judge again" for name in results["unfinished"]]
    return "\n".join([*lines, f"{out} holds all of it; 'blindpo report {out} --out page.html' shows it"])
