"""Does a correction bring a judge's rate nearer to people's? Each model's rate four ways, against all its labels.

raw                        the judge's flag rate
rogan_gladen               corrected by the errors that the judge makes on the *other* models
prediction_powered         the judge's rate plus its mean error over a few labels of this model
prediction_powered_tuned   the same, the judge weighted by how well it explains those labels
labels_alone               the rate among those labels, no judge: what a correction must beat

The few labels are chosen many times over; `rms_error` is over the choices, `value` and interval are the first one's.
`estimate` is none of these trials but the answer: all labels of the model and all its verdicts, those of answers that
nobody labelled among them, weighted as in prediction_powered_tuned.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blindpo.evaluation.judge_check.tables import NONE, Checked, Codes
from blindpo.jobs.seeds import derive_seed
from blindpo.stats.corrections import error_rates, prediction_powered, prediction_powered_draws, rogan_gladen
from blindpo.stats.intervals import wilson

LEAST_LABELS: Final = 10
"""Fewer labels say next to nothing of a rate."""
_Floats = NDArray[np.float64]
WAYS: Final = ("raw", "rogan_gladen", "prediction_powered", "prediction_powered_tuned", "labels_alone")


def corrected_rates(
    checked: Checked, judge: str, *, labels_per_model: int, num_choices: int, seed: int
) -> dict[str, Any] | None:
    """Each model's rates, and each way's mean error over the models; None where the model is not known."""
    if checked.model is None:
        return None
    verdicts = checked.verdicts[judge]
    models: dict[str, dict[str, Any]] = {}
    for name in np.unique(checked.model):
        own = checked.model == name
        generator = np.random.default_rng(derive_seed(seed, "labels", str(name)))
        models[str(name)] = _model(checked.people, verdicts, own, (labels_per_model, num_choices, generator))
        models[str(name)]["estimate"] = _estimate(checked, judge, str(name))
    return {"models": models, "mean_error": {way: _mean_error(models, way) for way in WAYS}}


def _estimate(checked: Checked, judge: str, model: str) -> dict[str, Any]:
    """The model's rate from all of its labels and all of its verdicts."""
    labelled = (checked.model == model) & (checked.verdicts[judge] != NONE)
    rest = checked.unlabelled.verdicts[judge][checked.unlabelled.model == model]
    people, flagged = checked.people[labelled], checked.verdicts[judge][labelled] == 1
    counts = {"labels": len(people), "verdicts": len(people) + int((rest != NONE).sum())}
    if len(people) < LEAST_LABELS:
        return {"value": None, "refused": f"fewer than {LEAST_LABELS} labels with a verdict", **counts}
    verdicts = np.concatenate([flagged, rest[rest != NONE] == 1])
    return {**prediction_powered(verdicts, np.arange(len(people)), people, tuned=True).to_json(), **counts}


def _model(
    people: NDArray[np.bool_], verdicts: Codes, own: NDArray[np.bool_], choice: tuple[int, int, np.random.Generator]
) -> dict[str, Any]:
    judged, others = own & (verdicts != NONE), ~own & (verdicts != NONE)
    human = float(people[own].mean())
    rates: dict[str, Any] = {"people_rate": human, "n": int(judged.sum())}
    if not judged.any():
        return {**rates, **{way: {"value": None, "refused": "no verdict on this model's answers"} for way in WAYS}}
    flagged = verdicts[judged] == 1
    low, high = wilson(float(flagged.sum()), len(flagged))
    rate = float(flagged.mean())
    rates["raw"] = {"value": rate, "low": low, "high": high, "error": abs(rate - human)}
    known = error_rates(people[others], verdicts[others] == 1) if others.any() else None
    rogan = rogan_gladen(rate, len(flagged), known)
    rates["rogan_gladen"] = rogan.to_json() | ({} if rogan.value is None else {"error": abs(rogan.value - human)})
    return {**rates, **_by_labels(people[judged], flagged, human, choice)}


def _by_labels(
    people: NDArray[np.bool_], flagged: NDArray[np.bool_], human: float, choice: tuple[int, int, np.random.Generator]
) -> dict[str, Any]:
    """The three ways that use labels of this model, on the same choices of labels."""
    n, num_choices, generator = choice
    if len(people) < n:
        refused = {"value": None, "refused": f"{len(people)} labelled answers of this model; {n} are asked for"}
        return dict.fromkeys(WAYS[2:], refused)
    chosen_Dn = np.stack([generator.permutation(len(people))[:n] for _ in range(num_choices)])
    labels_Dn = people[chosen_Dn].astype(np.float64)
    rates_D = labels_Dn.mean(axis=1)
    ends = np.array([wilson(float(count), n) for count in labels_Dn.sum(axis=1)])
    ways = {
        "prediction_powered": prediction_powered_draws(flagged, chosen_Dn, labels_Dn, tuned=False),
        "prediction_powered_tuned": prediction_powered_draws(flagged, chosen_Dn, labels_Dn, tuned=True),
        "labels_alone": (rates_D, ends[:, 0], ends[:, 1]),
    }
    return {way: _summed_up(*draws, human=human) for way, draws in ways.items()}


def _summed_up(values_D: _Floats, lows_D: _Floats, highs_D: _Floats, *, human: float) -> dict[str, float]:
    return {
        "value": float(values_D[0]),
        "low": float(lows_D[0]),
        "high": float(highs_D[0]),
        "error": abs(float(values_D[0]) - human),
        "rms_error": float(np.sqrt(((values_D - human) ** 2).mean())),
        "covered": float(((lows_D <= human) & (human <= highs_D)).mean()),
        "mean_width": float((highs_D - lows_D).mean()),
    }


def _mean_error(models: dict[str, dict[str, Any]], way: str) -> dict[str, float | int | None]:
    """The root mean squared error over the models whose rate was not refused, so that all ways compare."""
    squares = [
        rates[way].get("rms_error", rates[way].get("error")) ** 2
        for rates in models.values()
        if rates[way]["value"] is not None
    ]
    return {
        "rms_error": float(np.sqrt(np.mean(squares))) if squares else None,
        "models": len(squares),
        "refused": len(models) - len(squares),
    }
