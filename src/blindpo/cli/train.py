"""Train with Blind Preference Optimization or DPO: blindpo train DATA --model MODEL --method bpo|dpo --out RUN.

Every option of transformers.TrainingArguments has its own name here, as a flag and as a recipe key; the keys of
blindpo itself are: method, beta, max_length, freeze_vision, lora, lora_r, lora_alpha, lora_targets, reference,
reference_cache.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

from blindpo.cli.options import add_common, emit
from blindpo.train.config import TrainConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo train`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder, with blind responses for bpo")
    parser.add_argument("--model", required=True, metavar="MODEL", help="model folder, ID@REVISION or RUN folder")
    parser.add_argument("--method", metavar="bpo|dpo", help="which loss (default bpo)")
    parser.add_argument("--eval", type=Path, metavar="DATA", help="rows for the eval_* metrics")
    add_common(parser, strict=True)


def run(args: argparse.Namespace) -> int:
    """Check all words, then train."""
    from blindpo.models.source import resolve_model
    from blindpo.rows.shards import shard_paths
    from blindpo.runs.config import load_config, parse_sets, read_recipe
    from blindpo.train.arguments import split_keys, training_arguments
    from blindpo.train.run import train

    values = read_recipe(args.recipe) | args.extra | ({"method": args.method} if args.method else {})
    values |= parse_sets(args.set)
    ours, theirs = split_keys(values, str(args.recipe or "the command line"))
    config = load_config(TrainConfig, ours, where=str(args.recipe or "the command line"))
    training_arguments(theirs, args.out)
    shard_paths(args.data)
    model = resolve_model(args.model)
    if args.eval:
        shard_paths(args.eval)
    summary = train(config, theirs, data=args.data, model=model, out=args.out, eval_data=args.eval)
    lines = [f"{name:<32}{value:.4f}" for name, value in sorted(summary.metrics.items())]
    lines.append(f"{summary.rows} rows, {summary.rejected} rejected, {summary.without_blind} without a blind response")
    lines.append(f"{summary.steps} steps; the model is {args.out}")
    emit(asdict(summary), "\n".join(lines), as_json=args.json)
    return 1 if args.strict and summary.rejected else 0


def parse_extra(words: list[str]) -> tuple[dict[str, object], list[str]]:
    """`--name value` words that argparse does not know, as TrainingArguments; and what is no such word."""
    found: dict[str, object] = {}
    rest: list[str] = []
    place = 0
    while place < len(words):
        word = words[place]
        if not word.startswith("--"):
            rest.append(word)
        elif "=" in word:
            name, _, value = word[2:].partition("=")
            found[name.replace("-", "_")] = value
        elif place + 1 < len(words) and not words[place + 1].startswith("--"):
            found[word[2:].replace("-", "_")] = words[place + 1]
            place += 1
        else:
            found[word[2:].replace("-", "_")] = True
        place += 1
    return found, rest
