"""Train by preference on rows of DATA: chosen responses against rejected ones and, under BPO, against blind ones.

  blindpo train DATA --model MODEL --out RUN [--method bpo] [--eval DATA] [--beta 0.1] [--lora true] ...

The options of transformers.TrainingArguments, but those that blindpo fixes itself (naming one says why), are here
under their own names (--learning_rate 1e-6), and are keys of the recipe and of --set beside blindpo's own. The same
command goes on after a kill, from the last whole checkpoint.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from blindpo.cli.options import add_common, add_config, add_key, emit, flags_of, given_flags, refuse_rejects
from blindpo.training.arguments import HIDDEN, Argument, arguments, make_arguments, split_keys
from blindpo.training.config import TrainConfig

SHOWN_METRICS: Final = ("rewards/accuracies", "rewards/blind_accuracies")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """blindpo's own keys, then those of transformers."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder")
    parser.add_argument("--model", required=True, metavar="MODEL", help="a model folder, ID@REVISION or a RUN folder")
    parser.add_argument("--eval", type=Path, metavar="DATA", help="rows for the eval_* metrics")
    add_config(parser, TrainConfig)
    group = parser.add_argument_group(
        "options of transformers.TrainingArguments",
        "What each means: https://huggingface.co/docs/transformers/main_classes/trainer#transformers.TrainingArguments",
    )
    for name, argument in arguments().items():
        text = argparse.SUPPRESS if name in HIDDEN else _help(argument)
        add_key(group, name, kind=bool if argument.is_boolean else Any, text=text)
    add_common(parser, strict=True)


def _help(argument: Argument) -> str:
    """transformers' own words and default; argparse takes a percent sign for a format of its own."""
    return f"{argument.meaning} (default: {argument.default or 'see transformers'})".replace("%", "%%")


def run(args: argparse.Namespace) -> int:
    """Words first, then paths in the order of the synopsis, then the work."""
    from blindpo.jobs.recipe import load_config, parse_sets, read_recipe
    from blindpo.models.vlm.quantized import require_4bit
    from blindpo.models.vlm.source import resolve_model
    from blindpo.rows.shards import shard_paths

    flags = {**flags_of(TrainConfig, args), **given_flags(arguments(), args)}
    own: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    recipe = read_recipe(args.recipe)
    for values, where in ((recipe, f"--recipe {args.recipe}"), (flags, "flags"), (parse_sets(args.set), "--set")):
        some, others = split_keys(values, where=where)
        own, theirs = {**own, **some}, {**theirs, **others}
    config = load_config(TrainConfig, own, where="options")
    if config.load_in_4bit:
        require_4bit()
    make_arguments(theirs, args.out, has_eval=args.eval is not None)
    shard_paths(args.data)
    model = resolve_model(args.model)
    if args.eval is not None:
        shard_paths(args.eval)
    from blindpo.training.run import train  # seconds of imports, so after all words and paths are checked

    summary = train(config, theirs, data=args.data, model=model, out=args.out, eval_data=args.eval)
    if summary.is_main_process:
        shown = {**asdict(summary), "out": str(summary.out)}
        del shown["is_main_process"]
        emit(shown, _text(summary), as_json=args.json)
    refuse_rejects(args, summary.counts["rejected"])
    return 0


def _text(summary: Any) -> str:
    counts = summary.counts
    first = {"done": "was finished before; nothing was done", "resume": "resumed and finished", "new": "finished"}
    lines = [
        f"{summary.out} {first[summary.state]}: {summary.steps} steps on {counts['kept']} rows "
        f"({counts['rejected']} rejected, {counts['without_blind']} without a blind response)"
    ]
    how = "packed behind their prompt" if summary.packed else "separate sequences"
    waited = (
        "" if summary.data_share is None else f"; {summary.data_share:.1%} of the loop's time went to waiting for data"
    )
    lines.append(f"responses: {how}; {summary.padding_share:.1%} of all tokens were padding{waited}")
    for prefix, what in (("", "last step"), ("eval_", "evaluation")):
        shown = [
            f"{n} {summary.final[prefix + n]:.3f}" for n in ("loss", *SHOWN_METRICS) if prefix + n in summary.final
        ]
        if shown:
            lines.append(f"{what}: {', '.join(shown)}")
    lines += [f"WARNING: {warning}" for warning in summary.warnings]
    if summary.uploaded is not None:
        lines.append(f"uploaded to {summary.uploaded}")
    return "\n".join(lines)
