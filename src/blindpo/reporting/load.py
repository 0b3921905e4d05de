"""Read the page's sources: EVAL folders, RUN folders, and results files over several seeds.

Nothing is trusted: models and strangers wrote the names and texts in these folders, and the page escapes them all.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from blindpo.errors import SourceError
from blindpo.evaluation.eval_folder import StoredEval, is_eval, load_eval
from blindpo.evaluation.suite.run import SUITE
from blindpo.jobs.manifest import read_json
from blindpo.reporting.extras import SCORES
from blindpo.rows.overlap import shared_words

METRICS: Final = "metrics.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A RUN folder: its path, and its log, one mapping of numbers per logged step."""

    path: Path
    metrics: tuple[Mapping[str, float], ...]
    shared: str = ""
    """The warning about evaluation rows that were trained on."""

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All folders of a page, each once, in the given order."""

    evaluations: tuple[StoredEval, ...]
    runs: tuple[Run, ...]
    scores: tuple[Path, ...] = ()
    """Folders of 'blindpo protocols'."""


def load_sources(paths: Sequence[Path]) -> Sources:
    """Read every folder. Raises SourceError for one that is missing or of no known kind."""
    once = list({path.resolve(): path for given in paths for path in _expanded(given)}.values())
    kinds = [(path, _kind(path)) for path in once]
    return Sources(
        evaluations=tuple(load_eval(path) for path, kind in kinds if kind == "EVAL"),
        runs=tuple(
            Run(path=path, metrics=_metrics(path / METRICS), shared=_shared(path))
            for path, kind in kinds
            if kind == "RUN"
        ),
        scores=tuple(path for path, kind in kinds if kind == "SCORES"),
    )


def _expanded(path: Path) -> list[Path]:
    """Return the evaluations and scores of a suite; any other folder alone."""
    if not (path / SUITE).is_file():
        return [path]
    suite = read_json(path / SUITE)
    return [path / name for name in (*suite["evaluations"], *suite["scores"])]


def _kind(path: Path) -> str:
    if not path.is_dir():
        raise SourceError(f"{path} is not a folder; give EVAL folders of 'blindpo evaluate' and RUN folders of 'train'")
    if is_eval(path):
        return "EVAL"
    if (path / METRICS).is_file():
        return "RUN"
    if (path / SCORES).is_file():
        return "SCORES"
    raise SourceError(
        f"{path} is neither an EVAL folder (manifest.json, measures.json, responses.jsonl) nor a RUN folder "
        f"({METRICS}); give the --out of a finished 'blindpo evaluate' or of 'blindpo train'"
    )


def _metrics(path: Path) -> tuple[Mapping[str, float], ...]:
    """Read the numbers of each line, leaving out values that are not finite numbers (a diverged loss is NaN)."""
    steps = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise SourceError(f"{path}, line {number}, is not JSON; train again, or give another RUN folder") from error
        if not isinstance(record, dict):
            raise SourceError(f"{path}, line {number}, is not a JSON object; give a RUN folder of 'blindpo train'")
        steps.append({name: float(value) for name, value in record.items() if _is_number(value)})
    return tuple(steps)


def _shared(run: Path) -> str:
    """Return the warning from the manifest's count or, in older ones, from whether both sets were the same."""
    if not (run / "manifest.json").is_file():
        return ""
    manifest = read_json(run / "manifest.json")
    counts, identity = manifest.get("counts", {}), manifest.get("identity", {})
    total = counts.get("eval_kept", 0)
    same = identity.get("data") is not None and identity.get("data") == identity.get("eval")
    return shared_words(counts.get("eval_training_rows", total if same else 0), total)


def ending(path: Path, among: Sequence[Path]) -> str:
    """Return the shortest end of `path` that differs from all others."""
    parts = path.resolve().parts
    for length in range(1, len(parts)):
        if sum(other.resolve().parts[-length:] == parts[-length:] for other in among) == 1:
            return "/".join(parts[-length:])
    return path.name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def load_results(path: Path) -> dict[str, Any]:
    """Read a results.json. Raises SourceError if it is missing or has another shape."""
    content = read_json(path)
    conditions = content.get("conditions") if isinstance(content, dict) else None
    shaped = isinstance(conditions, dict) and all(
        isinstance(each, dict) and isinstance(each.get("models"), dict) and isinstance(each.get("comparisons"), list)
        for each in conditions.values()
    )
    if not shaped:
        raise SourceError(
            f"{path} is not a results file: it must hold 'conditions', each with 'models' and 'comparisons', "
            "as 'blindpo demo' writes it"
        )
    results: dict[str, Any] = content
    return results
