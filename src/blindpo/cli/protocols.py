"""List the protocols, or score stored responses under several of them (the bridge between published numbers).

blindpo protocols [--use ID[,ID...]] [--json]
blindpo protocols EVAL --use ID[,ID...]|all [--judge chat:MODEL] [--prompts DIR] --out SCORES
blindpo protocols EVAL --against EVAL2 --use pairwise/more-helpful/ours --judge chat:MODEL --out SCORES
"""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from blindpo.cli.options import add_common, add_config, emit, read_config
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.options import ChatJudgeOptions
from blindpo.jobs.settings import changed_keys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo protocols`."""
    parser.add_argument("eval", nargs="?", type=Path, metavar="EVAL", help="a folder of 'blindpo evaluate'")
    parser.add_argument(
        "--use", default="all", metavar="IDS", help="protocol ids by commas; all: those that fit and need no more"
    )
    parser.add_argument("--judge", metavar="chat:MODEL", help="who judges where a protocol asks a model")
    parser.add_argument("--prompts", type=Path, metavar="DIR", help="the download that holds the benchmark's own files")
    parser.add_argument("--against", type=Path, metavar="EVAL2", help="compare two models, response by response")
    parser.add_argument("--out", type=Path, metavar="PATH", help="where decisions and scores go")
    add_config(parser, ChatJudgeOptions)
    add_common(parser, out=False)


def run(args: argparse.Namespace) -> int:
    """Print the list, or score and print the numbers with their ids."""
    if args.eval is None:
        return _list(args)
    if args.out is None:
        raise ConfigError("--out is missing; name the folder for decisions and scores")
    from blindpo.evaluation.protocols.run import run_protocols

    judge, prompt = _judge(args)
    names = [name.strip() for name in args.use.split(",") if name.strip()]
    if args.against is not None:
        results = _duel(args, names, judge)
        emit(results, "\n".join(map(_words, results["scores"].values())), as_json=args.json)
        return 0
    results = run_protocols(args.eval, names, args.out, judge=judge, prompt=prompt, shipped=args.prompts)
    lines = [*map(_words, results["scores"].values())]
    lines += [f"skipped {name}: {reason}" for name, reason in results.get("skipped", {}).items()]
    emit(results, "\n".join(lines), as_json=args.json)
    return 0


def _duel(args: argparse.Namespace, names: list[str], judge: Any) -> dict[str, Any]:
    from blindpo.evaluation.protocols.pairwise import QUESTIONS, run_duel

    if len(names) != 1 or judge is None:
        raise ConfigError(f"--against needs --judge chat:MODEL, and one of these with --use: {', '.join(QUESTIONS)}")
    return run_duel(args.eval, args.against, names[0], args.out, judge=judge)


def _judge(args: argparse.Namespace) -> tuple[Any, Any]:
    """Who is asked, and our prompt as `judge_max_tokens` and `judge_instructions` set it, the same as for evaluate."""
    from blindpo.evaluation.judges.model_judges import our_prompt

    options = read_config(ChatJudgeOptions, args, where="options")
    if args.judge is None:
        idle = [key for each in fields(options) for key in changed_keys(options, each.name)]
        if idle:
            raise ConfigError(f"{idle[0]} has no effect without --judge; name the judge or leave the key out")
        return None, our_prompt(options)
    from blindpo.models.chat.client import ChatModel
    from blindpo.models.chat.replies import ReplyStore

    kind, _, model = args.judge.partition(":")
    if kind != "chat" or not model:
        raise ConfigError(f"--judge {args.judge}: write it as chat:MODEL")
    store = ReplyStore(args.out.with_name(f"{args.out.name}.replies.jsonl"))
    return ChatModel(options.chat_config(model), store=store), our_prompt(options)


def _list(args: argparse.Namespace) -> int:
    from blindpo.evaluation.protocols.pairwise import QUESTIONS
    from blindpo.evaluation.protocols.table import PROTOCOLS, find_protocol

    names = [name.strip() for name in args.use.split(",") if name.strip()]
    everything = names == ["all"]
    duels = [name for name in QUESTIONS if everything or name in names]
    listed = PROTOCOLS.values() if everything else [find_protocol(name) for name in names if name not in duels]
    cards = [
        {
            "id": each.id,
            "benchmarks": list(each.benchmarks),
            "decided_by": each.decides,
            "image_shown": each.image,
            "reads_shipped_files": each.shipped,
            "unparsed": each.unparsed,
            "rates": [rate.name for rate in each.rates],
            "source": each.source,
            "notes": list(each.notes),
            "unverified": each.unverified,
        }
        for each in listed
    ]
    words = "\n".join([*map(_card, cards), *(f"{name}\n  for      two evaluations (--against)" for name in duels)])
    emit({"protocols": cards, "pairwise": duels}, words, as_json=args.json)
    return 0


def _card(each: dict[str, Any]) -> str:
    lines = [
        f"{each['id']}" + (" (partly unverified)" if each["unverified"] else ""),
        f"  for      {', '.join(each['benchmarks'])}",
        f"  decides  {each['decided_by']}" + (", image shown" if each["image_shown"] else ""),
        f"  rates    {', '.join(each['rates'])}",
        f"  source   {each['source']}",
    ]
    lines += [f"  note     {note}" for note in each["notes"]]
    return "\n".join([*lines, f"  unread   {each['unverified']}"] if each["unverified"] else lines)


def _words(score: dict[str, Any]) -> str:
    """One protocol's numbers: none stands without the id and the hash above it."""
    of = "" if score["complete"] is not False else f" of the {score['released']} released: incomplete"
    lines = [f"{score['protocol']} [{score['hash'][:12]}], {score['rows']} rows{of}, decided by {_who(score)}"]
    if score["unverified"]:
        lines.append(f"  unread: {score['unverified']}")
    lines += [f"  {name:<26}{_rate(rate)}" for name, rate in score["rates"].items()]
    lines += [f"  {why}: {count} items without a decision" for why, count in score["without_decision"].items()]
    lines += [
        f"  {each['rate']:<26}{each['value']:6.3f}  printed for {each['model']}, {each['source']}; {each['note']}"
        for each in score["printed_elsewhere"]
    ]
    return "\n".join(lines)


def _who(score: dict[str, Any]) -> str:
    by = score["decided_by"]
    return str(by["name"]) if isinstance(by, dict) else str(by)


def _rate(rate: dict[str, Any]) -> str:
    if rate.get("no_rate"):
        return f"no rate [{rate['at_least']:.3f} to {rate['at_most']:.3f} at the bounds]: {rate['no_rate']}"
    if rate["value"] is None:
        return "no data"
    missing = f", bounds {rate['at_least']:.3f} to {rate['at_most']:.3f}" if rate.get("missing") else ""
    return f"{rate['value']:6.3f}  [{rate['low']:.3f}, {rate['high']:.3f}]  n={rate['n']}{missing}"
