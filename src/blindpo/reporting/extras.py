"""Tables beside the measures: scores under protocols, and task results of lm-eval and lmms-eval.

A score is always shown with its protocol's id and hash; published figures are marked and shown under it. Task results
are read as those tools write them (`results.json`: "results" by task, metrics as "acc,none" with "acc_stderr,none");
they show whether a capability was kept, by the tools' own definitions.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from blindpo.errors import ConfigError, SourceError
from blindpo.jobs.manifest import read_json

SCORES: Final = "scores.json"
_STDERR: Final = "_stderr"


class RateRow(NamedTuple):
    """One rate of one protocol for each model, and published figures for it."""

    protocol: str
    hash: str
    rate: str
    by_model: Mapping[str, str]
    printed: tuple[str, ...]


class TaskRow(NamedTuple):
    """One metric of one task for each model."""

    task: str
    metric: str
    by_model: Mapping[str, str]


def score_tables(folders: Sequence[Path]) -> dict[str, tuple[list[str], list[RateRow]]]:
    """Return, by the name of the scored rows, the models and a row for each rate."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for folder in folders:
        groups.setdefault(folder.name, []).append(read_json(folder / SCORES))
    return {title: (_models(scores), _rate_rows(scores)) for title, scores in groups.items()}


def _models(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(each["model"]["name"]) for each in scores))


def _rate_rows(scores: Sequence[Mapping[str, Any]]) -> list[RateRow]:
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    printed: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for each in scores:
        for protocol, score in each["scores"].items():
            for rate, value in score["rates"].items():
                key = (protocol, str(score["hash"])[:12], rate)
                rows.setdefault(key, {})[str(each["model"]["name"])] = rate_words(value)
                printed[key] = tuple(
                    f"{100 * other['value']:.1f} % printed for {other['model']}, {other['source']}; {other['note']}"
                    for other in score["printed_elsewhere"]
                    if other["rate"] == rate
                )
    return [RateRow(*key, by_model, printed[key]) for key, by_model in rows.items()]


def rate_words(rate: Mapping[str, Any]) -> str:
    """Return a rate with its interval; if there is none, its bounds or "no data"."""
    if rate.get("no_rate"):
        return f"no rate ({100 * rate['at_least']:.1f} to {100 * rate['at_most']:.1f} at the bounds)"
    if rate.get("value") is None:
        return "no data"
    return f"{100 * rate['value']:.1f} % ({100 * rate['low']:.1f} to {100 * rate['high']:.1f}), n {rate['n']}"


def parse_tasks(arguments: Sequence[str]) -> dict[str, Path]:
    """Parse the `MODEL=FILE` arguments of --tasks. Raises ConfigError."""
    files: dict[str, Path] = {}
    for argument in arguments:
        model, equals, file = argument.partition("=")
        if not equals or not model or not file or model in files:
            raise ConfigError(f"--tasks {argument}: write each model once, as MODEL=results.json")
        files[model] = Path(file)
    return files


def task_table(files: Mapping[str, Path]) -> list[TaskRow]:
    """Return one row per task and metric. Raises SourceError if a file is not a result of lm-eval or lmms-eval."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for model, path in files.items():
        content = read_json(path)
        results = content.get("results") if isinstance(content, dict) else None
        if not isinstance(results, dict) or not results:
            raise SourceError(f"--tasks {path} holds no 'results' by task; give a results.json of lm-eval or lmms-eval")
        for task, metrics in results.items():
            for metric, value in metrics.items() if isinstance(metrics, dict) else ():
                name, _, kind = str(metric).partition(",")
                if isinstance(value, int | float) and not isinstance(value, bool) and not name.endswith(_STDERR):
                    error = metrics.get(f"{name}{_STDERR},{kind}" if kind else f"{name}{_STDERR}")
                    about = f" ± {error:.4f}" if isinstance(error, int | float) else ""
                    rows.setdefault((str(task), str(metric)), {})[model] = f"{value:.4f}{about}"
    return [TaskRow(task, metric, by_model) for (task, metric), by_model in rows.items()]
