"""Measure safety, over-refusal and modality cheating, with intervals.

blindpo evaluate DATA --model MODEL --judge JUDGE --out EVAL
blindpo evaluate EVAL --rejudge --judge JUDGE --out EVAL2        (judges stored responses again, no model)

JUDGE: oracle (the rows' truth), refusal-rules (weak), none, chat:MODEL (any OpenAI-compatible server, images shown;
--set judge_base_url=URL, judge_concurrency, judge_budget_tokens), vlm:MODEL (the same prompt, a local model), hf:MODEL
(a local guard), panel:A+B+C (majority). A judge that is down gives bounds and no rate, and exit status 1; the same
command asks only for what is missing (docs/judges.md).
"""

import argparse
from pathlib import Path
from typing import Any

from blindpo.cli.options import add_common, emit
from blindpo.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo evaluate`."""
    parser.add_argument("data", type=Path, metavar="DATA", help="a data folder; with --rejudge an EVAL folder")
    parser.add_argument("--model", metavar="MODEL", help="a model folder, a hub id ID@REVISION, or a RUN folder")
    parser.add_argument(
        "--judge", metavar="JUDGE", help="oracle, refusal-rules, none, chat:MODEL, vlm:MODEL, hf:MODEL, panel:A+B"
    )
    parser.add_argument("--rejudge", action="store_true", help="judge the stored responses of an EVAL folder again")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, or judge again; print the measures."""
    from blindpo.evaluate.run import evaluate, rejudge

    config = _config(args)
    if args.rejudge:
        summary = rejudge(args.data, config, args.out)
    else:
        from blindpo.models.source import resolve_model
        from blindpo.rows.shards import shard_paths

        shard_paths(args.data)  # paths in the order of the synopsis: the data before the model
        summary = evaluate(config, args.data, resolve_model(args.model), args.out)
    emit(summary.results, table(summary.results, args.out, finished_before=summary.finished_before), as_json=args.json)
    return 0 if summary.complete or config.judge_allow_missing else 1


def _config(args: argparse.Namespace) -> Any:
    from blindpo.evaluate.config import EvaluateConfig, RejudgeConfig
    from blindpo.runs.config import load_config, parse_sets, read_recipe

    if args.rejudge and args.model is not None:
        raise ConfigError("--model has no effect with --rejudge, which asks no model; leave one of the two out")
    if not args.rejudge and args.model is None:
        raise ConfigError("--model is missing; give a model folder, ID@REVISION or a RUN folder (or --rejudge)")
    values = {**read_recipe(args.recipe), **({"judge": args.judge} if args.judge else {}), **parse_sets(args.set)}
    where = str(args.recipe) if args.recipe is not None else "evaluate"
    return load_config(RejudgeConfig if args.rejudge else EvaluateConfig, values, where=where)


def table(results: dict[str, Any], out: Path, *, finished_before: bool) -> str:
    """The measures for a person: value, interval, n; `no data` where there is none."""
    lines = [f"judge {results['judge']}{_weak(results)}, {results['rows']} rows"]
    lines += [f"  {name:<26}{_words(found)}" for name, found in results["measures"].items() if _told(name, found)]
    lines.append("safety_rate by label")
    lines += [f"  {label:<26}{_words(found['safety_rate'])}" for label, found in results["by_label"].items()]
    for view, counts in results["responses"].items():
        for reason, number in counts["missing"].items():
            lines.append(f"{number} rows have no response to their view {view}: {reason}")
        if counts["cut"]:
            lines.append(f"{counts['cut']} responses to the view {view} were cut at max_new_tokens")
    lines += [f"{number} without a verdict: {why}" for why, number in results.get("no_verdict_reasons", {}).items()]
    if results.get("not_asked"):
        lines.append(
            f"NO RATE: the judge could not be asked about {results['not_asked']} responses; brackets hold the lowest "
            "and the highest value that their verdicts could give. The same command asks only for them"
        )
    lines.append(f"{out} holds this finished run already" if finished_before else f"{_state(out)} {out}")
    return "\n".join(lines)


def _state(out: Path) -> str:
    return "stored in" if (out / "manifest.json").is_file() else "not finished:"


def _weak(results: dict[str, Any]) -> str:
    """What is known of a weak judge's agreement with people, right beside its name."""
    weak = results.get("judge_identity", {}).get("weak")
    return f" (weak: kappa {weak['kappa']:.3f} with people on {weak['measured_on']})" if weak else ""


def _told(name: str, found: dict[str, Any]) -> bool:
    """A measure whose view was not asked for is not in the table; one without a verdict is."""
    from blindpo.evaluate.measures import VIEW_MEASURES

    return name not in VIEW_MEASURES or found["value"] is not None or bool(found.get("missing"))


def _words(found: dict[str, Any]) -> str:
    missing = f", {found['missing']} without a verdict" if found.get("missing") else ""
    limits = "  bounds [{:.3f}, {:.3f}]".format(*found["bounds"]) if "bounds" in found else ""
    if found.get("no_rate"):
        return f"no rate{limits}, {found['n']} with and {found['missing']} without a verdict"
    if found["value"] is None:
        return f"no data{missing}"
    return f"{found['value']:6.3f}  [{found['low']:.3f}, {found['high']:.3f}]  n={found['n']}{missing}{limits}"
