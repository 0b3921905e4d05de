"""Measure safety, over-refusal and modality cheating, with intervals.

blindpo evaluate DATA --model MODEL --judge JUDGE --out EVAL
blindpo evaluate DATA --responses FILE --judge JUDGE --out EVAL      (JSON lines that were made elsewhere)
blindpo evaluate EVAL --rejudge --judge JUDGE --out EVAL2            (judges stored responses again, no model)
blindpo evaluate DATA --model MODEL --part 1/4 ... --out PART        (a share of the responses, on one machine of 4)
blindpo evaluate PART... --merge --judge JUDGE --out EVAL            (joins all shares and judges them)
blindpo evaluate --recipe SUITE.yaml --models NAME=MODEL... --out DIR  (a whole comparison, see recipes/)

MODEL: a model folder, a hub id ID@REVISION, a RUN folder, or chat:NAME on any OpenAI-compatible server (--set
model_base_url=URL likelihoods=false).
JUDGE: oracle (the rows' truth), refusal-rules (weak), none, chat:MODEL (any OpenAI-compatible server, images shown;
--set judge_base_url=URL, judge_concurrency, judge_budget_tokens), vlm:MODEL (the same prompt, a local model), hf:MODEL
(a local guard), served:MODEL (a guard behind a server), panel:A+B+C (majority). A judge that is down gives bounds and
no rate, and exit status 1; the same command asks only for what is missing (docs/judges.md).
"""

import argparse
from pathlib import Path
from typing import Any

from blindpo.cli.options import add_common, emit
from blindpo.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `blindpo evaluate`."""
    parser.add_argument("data", nargs="*", type=Path, metavar="DATA", help="a data folder, an EVAL folder, or parts")
    parser.add_argument("--model", metavar="MODEL", help="a folder, ID@REVISION, a RUN folder, or chat:NAME")
    parser.add_argument("--responses", type=Path, metavar="FILE", help="JSON lines with row_id and text, instead")
    parser.add_argument(
        "--judge", metavar="JUDGE", help="oracle, refusal-rules, none, chat:MODEL, vlm:MODEL, hf:MODEL, panel:A+B"
    )
    parser.add_argument("--rejudge", action="store_true", help="judge the stored responses of an EVAL folder again")
    parser.add_argument("--part", metavar="NUMBER/OF", help="make this share of the responses, and judge nothing")
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="where a local model's shards are made"
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes, or Ray actors, each with the model"
    )
    parser.add_argument("--merge", action="store_true", help="join all parts of one evaluation and judge them")
    parser.add_argument("--models", nargs="+", metavar="NAME=MODEL", help="a suite: the models that are compared")
    add_common(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, or judge again; print the measures."""
    _require_words(args)
    if args.models:
        return _suite(args)
    config = _config(args)
    summary = _summary(args, config)
    if "part" in summary.results:
        number, of = summary.results["part"]
        emit(summary.results, f"part {number}/{of} in {args.out}; join all with --merge", as_json=args.json)
        return 0
    emit(summary.results, table(summary.results, args.out, finished_before=summary.finished_before), as_json=args.json)
    return 0 if summary.complete or config.judge_allow_missing else 1


def _require_words(args: argparse.Namespace) -> None:
    """Raise ConfigError for words that do not go together; paths are looked at later."""
    modes = {"--rejudge": args.rejudge, "--merge": args.merge, "--models": bool(args.models)}
    chosen = [word for word, given in modes.items() if given]
    if len(chosen) > 1:
        raise ConfigError(f"{chosen[0]} and {chosen[1]} do not go together; leave one of the two out")
    spread = args.engine != "local" or args.workers != 1
    if spread and (chosen or args.responses is not None or str(args.model).startswith("chat:")):
        raise ConfigError("--engine and --workers are for a local --model; leave them out")
    asks = {"--model": args.model, "--responses": args.responses, "--part": args.part}
    for word, value in asks.items():
        if chosen and value is not None:
            raise ConfigError(f"{word} has no effect with {chosen[0]}; leave one of the two out")
    if args.models:
        if args.data or args.recipe is None or args.judge is not None:
            raise ConfigError("--models takes a suite: its rows and judge stand in the recipe; give --recipe alone")
        return
    if not chosen and (args.model is None) == (args.responses is None):
        raise ConfigError(
            "give --model (a folder, ID@REVISION, a RUN folder, chat:NAME) or --responses FILE (or --rejudge)"
        )
    if args.responses is not None and args.part is not None:
        raise ConfigError("--part has no effect with --responses, which asks no model; leave one of the two out")
    if not args.data or (len(args.data) > 1 and not args.merge):
        raise ConfigError(f"{len(args.data)} folders were given; one is needed (several with --merge)")


def _summary(args: argparse.Namespace, config: Any) -> Any:
    from blindpo.evaluation import run as stage

    if args.rejudge:
        return stage.rejudge(args.data[0], config, args.out)
    if args.merge:
        return stage.merge_parts(args.data, config, args.out)
    from blindpo.jobs.engine import Engine
    from blindpo.jobs.shards import WHOLE, parse_part
    from blindpo.models.vlm.source import resolve_model
    from blindpo.rows.shards import shard_paths

    part = WHOLE if args.part is None else parse_part(args.part)
    shard_paths(args.data[0])  # paths in the order of the synopsis: the data before the model
    if args.responses is not None:
        return stage.evaluate_recorded(config, args.data[0], args.responses, args.out)
    if args.model.startswith("chat:"):
        return stage.evaluate_chat(config, args.data[0], args.model.removeprefix("chat:"), args.out, part=part)
    engine = Engine(name=args.engine, workers=args.workers)
    return stage.evaluate(config, args.data[0], resolve_model(args.model), args.out, part=part, engine=engine)


def _config(args: argparse.Namespace) -> Any:
    from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
    from blindpo.jobs.recipe import load_config, parse_sets, read_recipe

    values = {**read_recipe(args.recipe), **({"judge": args.judge} if args.judge else {}), **parse_sets(args.set)}
    where = str(args.recipe) if args.recipe is not None else "evaluate"
    return load_config(RejudgeConfig if args.rejudge or args.merge else EvaluateConfig, values, where=where)


def _suite(args: argparse.Namespace) -> int:
    from blindpo.evaluation.suite.run import SuiteConfig, parse_models, run_suite
    from blindpo.jobs.recipe import load_config, parse_sets, read_recipe

    models = parse_models(args.models)
    values = {**read_recipe(args.recipe), **parse_sets(args.set)}
    config = load_config(SuiteConfig, values, where=str(args.recipe))
    found = run_suite(config, models, args.out)
    emit(found, suite_table(found, args.out), as_json=args.json)
    return 1 if found["unfinished"] else 0


def suite_table(found: dict[str, Any], out: Path) -> str:
    """Every set of rows, every model: safety, over-refusal, and what else has a value, for a person."""
    lines = []
    for data in dict.fromkeys(data for of_model in found["models"].values() for data in of_model):
        lines.append(data)
        for model, sets in found["models"].items():
            for name, measure in sets.get(data, {}).items():
                if measure["value"] is not None and name in SUITE_MEASURES:
                    lines.append(f"  {model:<12}{name:<22}{_words(measure)}")
    lines += [f"NOT FINISHED: {name}; the same command asks its judge again" for name in found["unfinished"]]
    return "\n".join([*lines, f"{out} holds all of it; 'blindpo report {out} --out page.html' shows it"])


SUITE_MEASURES = (
    "safety_rate",
    "over_refusal",
    "pair_both_right",
    "image_sensitivity",
    "co_defense_gap",
    "safety_mid",
    "helpfulness",
    "pairwise_accuracy",
    "cheating_refusal",
    "chosen_logp",
)


def table(results: dict[str, Any], out: Path, *, finished_before: bool) -> str:
    """The measures for a person: value, interval, n; `no data` where there is none."""
    from blindpo.rows.overlap import shared_words

    lines = [f"judge {results['judge']}{_weak(results)}, {results['rows']} rows"]
    lines += [f"  {name:<26}{_words(found)}" for name, found in results["measures"].items() if _told(name, found)]
    lines.append("safety_rate by label")
    lines += [f"  {label:<26}{_words(found['safety_rate'])}" for label, found in results["by_label"].items()]
    for view, counts in results["responses"].items():
        for reason, number in counts["missing"].items():
            lines.append(f"{number} rows have no response to their view {view}: {reason}")
        if counts["cut"]:
            lines.append(f"{counts['cut']} responses to the view {view} were cut at max_new_tokens")
    if said := shared_words(results.get("training_rows", 0), results["rows"]):
        lines.append(f"WARNING: {said}")
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
    from blindpo.evaluation.measures import VIEW_MEASURES

    return name not in VIEW_MEASURES or found["value"] is not None or bool(found.get("missing"))


def _words(found: dict[str, Any]) -> str:
    missing = f", {found['missing']} without a verdict" if found.get("missing") else ""
    limits = "  bounds [{:.3f}, {:.3f}]".format(*found["bounds"]) if "bounds" in found else ""
    if found.get("no_rate"):
        return f"no rate{limits}, {found['n']} with and {found['missing']} without a verdict"
    if found["value"] is None:
        return f"no data{missing}{limits}"
    return f"{found['value']:6.3f}  [{found['low']:.3f}, {found['high']:.3f}]  n={found['n']}{missing}{limits}"
