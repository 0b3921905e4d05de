"""How far can a judge be trusted? Its verdicts against human labels.

blindpo judge-check LABELS.csv VERDICTS.csv... --preset msts [--json]
blindpo judge-check LABELS.csv VERDICTS.csv... --label COLUMN [--model-column COLUMN] [--cluster COLUMN] ...
blindpo judge-check LABELS.csv EVAL...           (your own evaluations; 'blindpo label-sheet EVAL...' makes LABELS.csv)

LABELS.csv holds one answer per row with its human label; each column of a VERDICTS.csv is one judge, row for row in the
same order, or matched by --key. Prints kappa, precision, recall and flag rate with intervals over clusters, how judge
and people rank the models, and what corrections do to each model's rate (docs/judges.md). --details and --json add
every model and category.
"""

import argparse
from pathlib import Path
from typing import Any

from blindpo.cli.options import add_common, add_config, emit, read_config
from blindpo.evaluation.judge_check.columns import PRESETS, JudgeCheckConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `blindpo judge-check`."""
    parser.add_argument("labels", type=Path, metavar="LABELS.csv", help="one answer per row, with its human label")
    parser.add_argument(
        "verdicts", type=Path, nargs="*", metavar="VERDICTS", help="a CSV whose columns are judges, or EVAL"
    )
    parser.add_argument("--preset", choices=sorted(PRESETS), help="the columns of a known data set")
    parser.add_argument("--details", action="store_true", help="show every model and category as well")
    add_config(parser, JudgeCheckConfig)
    add_common(parser, out=False)


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    preset = PRESETS[args.preset] if args.preset else {}
    config = read_config(JudgeCheckConfig, args, where="options", preset=preset)
    from blindpo.evaluation.judge_check.run import judge_check

    results = judge_check(args.labels, args.verdicts, config)
    text = "\n\n".join([table(results), *(details(results) if args.details else [])])
    emit(results, text, as_json=args.json)
    return 0


def table(results: dict[str, Any]) -> str:
    """The judges for a person."""
    labels, people = results["labels"], results["people"]
    lines = [
        f"{labels['labelled']} answers with a human label, {labels['unsafe']} unsafe, {labels['clusters']} clusters"
        + (f"; {labels['without_label']} more have no label that was read" if labels["without_label"] else "")
        + (f"; {labels['unmatched']} labels fit no answer" if labels["unmatched"] else "")
    ]
    if people is not None:
        kappa = f"kappa {_words(people['kappa'])}, " if "kappa" in people else ""
        lines.append(f"people among themselves: {kappa}alpha {_number(people['krippendorff_alpha'])}")
    width = max(map(len, results["judges"]))
    lines += ["", f"{'judge':<{width}}  {'kappa':<25}{'precision':<25}{'recall':<25}{'flag rate':<25}no verdict"]
    for name, judge in results["judges"].items():
        cells = "".join(f"{_words(judge[key]):<25}" for key in ("kappa", "precision", "recall", "flag_rate"))
        lines.append(f"{name:<{width}}  {cells}{judge['no_verdict']}")
    if any(judge["rank_agreement"] for judge in results["judges"].values()):
        lines += ["", *_corrections(results["judges"], width)]
    if labels["without_label"]:
        lines += _estimates(results["judges"])
    lines += ["", *(f"{name}: {judge['trust']}" for name, judge in results["judges"].items())]
    return "\n".join(lines)


def details(results: dict[str, Any]) -> list[str]:
    """One table for each judge and each column: a line for each model and category."""
    tables = []
    for name, judge in results["judges"].items():
        parts = {"model": judge["per_model"], **judge["per_category"]}
        for column, groups in parts.items():
            if groups:
                width = max(map(len, groups))
                head = f"{name}, by {column}\n{'':<{width}}  {'n':<7}{'people':<9}{'flag rate':<25}{'kappa':<25}"
                tables.append("\n".join([f"{head}{'precision':<25}recall", *_lines(groups, width)]))
    return tables


def _lines(groups: dict[str, Any], width: int) -> list[str]:
    return [
        f"{value:<{width}}  {each['n']:<7}{_number(each['people_rate']):<9}"
        + "".join(f"{_words(each[key]):<25}" for key in ("flag_rate", "kappa", "precision", "recall")).rstrip()
        for value, each in groups.items()
    ]


def _corrections(judges: dict[str, Any], width: int) -> list[str]:
    """Ranks, and each way's error over the models, in points."""
    ways = ("raw", "rogan_gladen", "prediction_powered", "prediction_powered_tuned", "labels_alone")
    titles = ("raw", "Rogan-Gladen", "pred.-powered", "tuned", "labels alone")
    lines = [
        "distance from people's rate of a model, in points (root of the mean square over models; r: models refused)",
        f"{'judge':<{width}}  {'tau of models':<25}{'worst':<9}" + "".join(f"{title:<16}" for title in titles),
    ]
    for name, judge in judges.items():
        ranks, errors = judge["rank_agreement"], judge["corrected_rates"]["mean_error"]
        cells = "".join(f"{_points(errors[way]):<16}" for way in ways)
        tau = _words(ranks["tau"]) if ranks else "-"
        worst = f"{100 * ranks['worst_model_error']:.1f}" if ranks else "-"
        lines.append(f"{name:<{width}}  {tau:<25}{worst:<9}{cells}")
    return lines


def _estimates(judges: dict[str, Any]) -> list[str]:
    """Each model's unsafe rate from its labels and all its verdicts, those without a label among them."""
    lines = []
    for name, judge in judges.items():
        for model, rates in (judge["corrected_rates"] or {"models": {}})["models"].items():
            estimate = rates["estimate"]
            rate = estimate.get("refused") or f"{_words(estimate)} unsafe"
            lines.append(f"{model} by {name}: {rate} ({estimate['labels']} labels, {estimate['verdicts']} verdicts)")
    return ["", *lines] if lines else []


def _points(error: dict[str, Any]) -> str:
    refused = f" (r: {error['refused']})" if error["refused"] else ""
    return ("refused" if error["rms_error"] is None else f"{100 * error['rms_error']:.2f}") + refused


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _words(rate: dict[str, Any]) -> str:
    if rate["value"] is None:
        return "-"
    return f"{rate['value']:.3f}" + ("" if rate["low"] is None else f" [{rate['low']:.3f}, {rate['high']:.3f}]")
