"""`blindpo judge-check`: every measure of every judge, and one sentence on how far each can be trusted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from blindpo.errors import ConfigError, SourceError
from blindpo.evaluation.judge_check.agreement import (
    Resamples,
    groups,
    judge_measures,
    judges_among_themselves,
    people_among_themselves,
    rank_agreement,
)
from blindpo.evaluation.judge_check.columns import JudgeCheckConfig
from blindpo.evaluation.judge_check.correcting import corrected_rates
from blindpo.evaluation.judge_check.evals import read_evals
from blindpo.evaluation.judge_check.tables import Checked, read_checked
from blindpo.jobs.seeds import derive_seed

NO_BETTER: Final = "agrees with people no better than chance: nothing can be read from it"
BANDS: Final = (
    (0.8, "almost perfectly"),
    (0.6, "substantially"),
    (0.4, "moderately"),
    (0.2, "fairly"),
    (0.0, "slightly"),
)
"""Landis and Koch (1977), "The measurement of observer agreement for categorical data"."""
LITTLE: Final = 0.05
"""An error that changes by a smaller share than this is about the same: 200 choices of labels cannot tell it apart."""


def judge_check(labels: Path, verdicts: Sequence[Path], config: JudgeCheckConfig) -> dict[str, Any]:
    """The content of the command's JSON. Raises SourceError for tables that do not fit."""
    checked = _checked(labels, verdicts, config)
    generator = np.random.default_rng(derive_seed(config.seed, "clusters"))
    resamples = Resamples(checked.cluster, generator, config.num_draws)
    people = people_among_themselves(checked, resamples)
    return {
        "labels": {
            "rows": checked.num_rows,
            "labelled": len(checked.people),
            "without_label": checked.num_rows - len(checked.people),
            "unmatched": checked.unmatched,
            "unsafe": int(checked.people.sum()),
            "clusters": len(np.unique(checked.cluster)),
        },
        "people": people,
        "judges": {name: _judge(checked, name, resamples, (config, people)) for name in checked.verdicts},
        "between_judges": judges_among_themselves(checked),
    }


def _checked(labels: Path, verdicts: Sequence[Path], config: JudgeCheckConfig) -> Checked:
    """Read EVAL folders, whose verdicts go by row id, or CSV files, which go by order or key; not both at once."""
    folders = [path for path in verdicts if path.is_dir()]
    if not folders:
        return read_checked(labels, verdicts, config)
    if len(folders) < len(verdicts):
        raise SourceError("verdicts come from EVAL folders or from CSV files, not from both in one call")
    idle = [key for key in ("cluster", "categories", "annotators", "response", "judges") if getattr(config, key)]
    if idle:
        raise ConfigError(f"{idle[0]} has no effect with EVAL folders, whose rows say it; leave it out")
    return read_evals(labels, folders, config)


def _judge(
    checked: Checked, name: str, resamples: Resamples, context: tuple[JudgeCheckConfig, dict[str, Any] | None]
) -> dict[str, Any]:
    config, people = context
    codes = checked.verdicts[name]
    measures = judge_measures(checked, codes, resamples)
    by_model = {} if checked.model is None else groups(checked.model)
    ranks = rank_agreement(checked, codes, resamples)
    corrected = corrected_rates(
        checked, name, labels_per_model=config.labels_per_model, num_choices=config.num_choices, seed=config.seed
    )
    return {
        **measures,
        "per_model": {
            value: judge_measures(checked, codes, resamples, within=mask) for value, mask in by_model.items()
        },
        "per_category": {
            column: {
                value: judge_measures(checked, codes, resamples, within=mask) for value, mask in groups(values).items()
            }
            for column, values in checked.categories.items()
        },
        "rank_agreement": ranks,
        "corrected_rates": corrected,
        "trust": trust(measures, people, ranks, corrected),
    }


def trust(
    measures: dict[str, Any],
    people: dict[str, Any] | None,
    ranks: dict[str, Any] | None,
    corrected: dict[str, Any] | None,
) -> str:
    """How far the judge can be trusted, in sentences that hold only what was measured."""
    kappa = measures["kappa"]
    if kappa["value"] is None:
        return "kappa is not defined on these labels: nothing can be said"
    parts = [f"{band(kappa)} (kappa {kappa['value']:.3f}{_against(people)})"]
    if measures["flag_rate"]["value"] is not None and measures["people_rate"]:
        parts.append(f"flags {measures['flag_rate']['value'] / measures['people_rate']:.1f} times as much as people")
    if ranks is not None:
        parts.append(
            f"differences between models below {100 * ranks['worst_model_error']:.1f} points may be the judge's alone"
        )
    if corrected is not None:
        parts.append(correction_in_words(corrected["mean_error"]))
    return "; ".join(parts)


def band(kappa: dict[str, Any]) -> str:
    """The agreement in words; by the lower end of the interval where that reaches chance."""
    if kappa["value"] <= 0 or (kappa["low"] is not None and kappa["low"] <= 0):
        return NO_BETTER
    return f"agrees {next(words for least, words in BANDS if kappa['value'] >= least)} with people"


def _against(people: dict[str, Any] | None) -> str:
    value = (people or {}).get("kappa", {}).get("value")
    return "" if value is None else f", two people {value:.3f}"


def correction_in_words(errors: dict[str, Any]) -> str:
    """What Rogan-Gladen does to the raw rates, and the judge's verdicts to the labels alone, in points of error."""
    raw, alone, rogan = (errors[way]["rms_error"] for way in ("raw", "labels_alone", "rogan_gladen"))
    words = []
    if rogan is None:
        words.append("Rogan-Gladen is refused")
    elif raw is not None:
        refused = errors["rogan_gladen"]["refused"]
        words.append(
            f"Rogan-Gladen corrections {_effect(raw, rogan)} ({_points(raw)} to {_points(rogan)} points"
            + (f", refused for {refused} models)" if refused else ")")
        )
    if alone is not None:
        plain, tuned = (errors[way]["rms_error"] for way in ("prediction_powered", "prediction_powered_tuned"))
        words.append(
            f"beside the labels its verdicts {_effect(alone, plain)} ({_points(alone)} to {_points(plain)}), "
            f"weighted they {_effect(alone, tuned)} (to {_points(tuned)})"
        )
    return "; ".join(words) or "no correction could be tried"


def _points(rate: float) -> str:
    return f"{100 * rate:.2f}"


def _effect(before: float, after: float) -> str:
    """How one error compares with another."""
    if after < (1 - LITTLE) * before:
        return "help"
    return "do harm" if after > (1 + LITTLE) * before else "change little"
