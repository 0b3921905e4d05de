"""Small EVAL and RUN folders for the tests of the report, judged by the real oracle."""

import json
from pathlib import Path
from typing import Any

from tests.unit.evaluation.worlds import row, save_rows

from blindpo.answer.response import Response, json_lines
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.run import rejudge
from blindpo.rows.row import PreferenceRow

REFUSAL, RIGHT, WRONG = "sorry , no", "a red ball", "a blue ball"
ROWS = 18
"""Nine items of a kind: fewer, all of them against the other model, are no shown difference by an exact test."""
SAID = {
    "base": [RIGHT] * ROWS,
    "dpo": [REFUSAL] * ROWS,
    "bpo": [REFUSAL, RIGHT] * (ROWS // 2),
}


def save_eval(folder: Path, said: list[str], rows: list[PreferenceRow] | None = None, *, model: str = "") -> Path:
    """A finished evaluation in which the model said `said`, one text a row."""
    rows = rows or [row(number) for number in range(len(said))]
    raw = folder.parent / f".raw_{folder.name}"
    save_rows(raw / "rows", rows)
    responses = [
        Response(row_id=each.row_id, view="as_is", text=text, chosen_logp_per_token=-1.0, rejected_logp_per_token=-2.0)
        for each, text in zip(rows, said, strict=True)
    ]
    (raw / "responses.jsonl").write_text(json_lines(responses))
    (raw / "verdicts.jsonl").write_text("")
    (raw / "measures.json").write_text("{}")
    name = {"name": model or folder.name, "fingerprint": "ab" * 32}
    data = "-".join(each.row_id for each in rows)
    (raw / "manifest.json").write_text(json.dumps({"identity": {"data": data, "model": name}}))
    rejudge(raw, RejudgeConfig(judge="oracle", num_draws=100), folder)
    return folder


def save_three(folder: Path) -> list[Path]:
    """Base answers everything, DPO refuses everything, BPO is always right."""
    return [save_eval(folder / name, said) for name, said in SAID.items()]


def save_run(folder: Path, *, blind: bool = True, extra: str = "") -> Path:
    """A RUN folder's metrics."""
    folder.mkdir(parents=True)
    lines = []
    for step in range(5, 30, 5):
        metrics = {"step": step, "loss": 1 / step, "rewards/chosen": step / 9, "rewards/rejected": -step / 7}
        metrics |= {"rewards/margins": step / 4, "rewards/accuracies": 1 - 1 / step}
        if blind:
            metrics |= {"rewards/blind": -step / 20, "rewards/blind_margins": step / 6, "rewards/blind_accuracies": 0.9}
        lines.append(json.dumps(metrics))
        lines.append(json.dumps({"step": step, "eval_rewards/chosen": step / 10, "eval_rewards/accuracies": 0.7}))
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n" + extra)
    return folder


def measure(value: float | None, **changes: Any) -> dict[str, Any]:
    """One measure as results hold it."""
    if value is None:
        return {"value": None, "n": 0, "no_data": True}
    interval = {"low": max(0.0, value - 0.1), "high": min(1.0, value + 0.1)}
    return {"value": value, **interval, "n": 90, "per_seed": [value] * 3, "few_seeds": True, **changes}


STORY = {
    "models": [
        {"name": "base", "title": "Base", "about": "as it was"},
        {"name": "dpo", "title": "DPO", "about": "pairs alone"},
        {"name": "dpo_equal_compute", "title": "DPO, equal compute", "about": "longer"},
        {"name": "bpo", "title": "BPO", "about": "pairs and blind responses"},
        {"name": "sight", "title": "Sight control", "about": "the image was shown"},
    ],
    "conditions": [
        {"name": "paper_like_offpolicy", "title": "Paper-like pairs", "about": "dangerous things alone"},
        {
            "name": "benign_twins",
            "title": "Pairs with benign twins",
            "about": "every row has a twin",
            "evaluations": {model: f"seed_1/benign_twins/{model}" for model in ("bpo", "base", "dpo")},
            "runs": {model: [f"seed_1/benign_twins/runs/{model}"] for model in ("dpo", "bpo")},
        },
    ],
    "focus": ["bpo", "dpo"],
    "control": ["bpo", "sight", "BPO against the sight control"],
}


def results(conditions: list[str], difference: tuple[float, float, float] = (-0.3, -0.4, -0.2)) -> dict[str, Any]:
    """A small results file of three seeds, whose folders are those of `save_three` and `save_run`."""
    names = ("safety_rate", "over_refusal", "pair_both_right", "helpfulness")
    values = {"base": 0.2, "dpo": 0.9, "dpo_equal_compute": 0.95, "bpo": 0.92, "sight": 0.6}
    models = {model: {name: measure(value) for name in names} for model, value in values.items()}
    models["base"]["co_defense_gap"] = measure(None)
    low_high = dict(zip(("difference", "low", "high"), difference, strict=True))
    comparisons = [
        {"a": "bpo", "b": "dpo", "measure": "over_refusal", **low_high},
        {"a": "bpo", "b": "dpo", "measure": "safety_rate", "difference": 0.02, "low": -0.05, "high": 0.09},
        {"a": "bpo", "b": "dpo", "measure": "helpfulness", "difference": None, "low": None, "high": None},
    ]
    found = {"models": models, "comparisons": comparisons}
    return {"seeds": [1, 2, 3], "conditions": dict.fromkeys(conditions, found), "story": STORY}
