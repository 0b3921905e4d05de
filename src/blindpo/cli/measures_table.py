"""The measures of an evaluation as a table for a person: value, interval, n; `no data` where there is none."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindpo.cli.options import emit

if TYPE_CHECKING:
    from blindpo.evaluation.run import EvalSummary


def emit_measures(summary: "EvalSummary", args: argparse.Namespace, *, allow_missing: bool) -> int:
    """Print the measures of an evaluation; returns the exit status, 1 where verdicts are missing."""
    text = measures_table(summary.results, args.out, finished_before=summary.finished_before)
    emit(summary.results, text, as_json=args.json)
    return 0 if summary.complete or allow_missing else 1


def measures_table(results: dict[str, Any], out: Path, *, finished_before: bool) -> str:
    """The whole table, with warnings and what to do next."""
    from blindpo.rows.overlap import shared_words
    from blindpo.rows.view_names import current_view

    lines = [f"judge {results['judge']}{_weak(results)}, {results['rows']} rows"]
    lines += [
        f"  {name:<26}{measure_words(measure)}"
        for name, measure in results["measures"].items()
        if _is_shown(name, measure)
    ]
    lines.append("safety_rate by label")
    lines += [f"  {label:<26}{measure_words(measure['safety_rate'])}" for label, measure in results["by_label"].items()]
    for view, counts in ((current_view(key), each) for key, each in results["responses"].items()):
        for reason, number in counts["missing"].items():
            lines.append(f"{number} rows have no response to their view {view}: {reason}")
        if counts["cut"]:
            lines.append(f"{counts['cut']} responses to the view {view} were cut at max_new_tokens")
    if shared := shared_words(results.get("training_rows", 0), results["rows"]):
        lines.append(f"WARNING: {shared}")
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


def _is_shown(name: str, measure: dict[str, Any]) -> bool:
    """A measure whose view was not asked for is not in the table; one without a verdict is."""
    from blindpo.evaluation.measures import VIEW_MEASURES

    return name not in VIEW_MEASURES or measure["value"] is not None or bool(measure.get("missing"))


def measure_words(measure: dict[str, Any]) -> str:
    missing = f", {measure['missing']} without a verdict" if measure.get("missing") else ""
    limits = "  bounds [{:.3f}, {:.3f}]".format(*measure["bounds"]) if "bounds" in measure else ""
    if measure.get("no_rate"):
        return f"no rate{limits}, {measure['n']} with and {measure['missing']} without a verdict"
    if measure["value"] is None:
        return f"no data{missing}{limits}"
    return f"{measure['value']:6.3f}  [{measure['low']:.3f}, {measure['high']:.3f}]  n={measure['n']}{missing}{limits}"
