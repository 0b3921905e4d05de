"""What the page shows, read from finished folders: evaluations, runs, and a demo's results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindpo.errors import SourceError
from blindpo.evaluate.stored import StoredEval, is_eval, load_eval
from blindpo.runs.manifest import read_json


@dataclass(frozen=True, slots=True)
class Source:
    """One folder that was named: an evaluation, or a run with its training curve."""

    name: str
    evaluation: StoredEval | None
    curve: list[dict[str, float]]


def load_sources(paths: Sequence[Path]) -> list[Source]:
    """All named folders. Raises SourceError for one that is neither an evaluation nor a run."""
    names = _names(paths)
    return [_load(path, name) for path, name in zip(paths, names, strict=True)]


def _names(paths: Sequence[Path]) -> list[str]:
    """Each path without what all have in common, so that `dpo/eval` and `bpo/eval` are told apart."""
    parts = [path.resolve().parts for path in paths]
    common = 0
    while len(parts) > 1 and len({p[common] if common < len(p) - 1 else None for p in parts}) == 1:
        if common >= min(map(len, parts)) - 1:
            break
        common += 1
    return ["/".join(p[common:]) if len(parts) > 1 else p[-1] for p in parts]


def _load(path: Path, name: str) -> Source:
    if not path.is_dir():
        raise SourceError(f"{path} is not a folder; give the --out of 'blindpo evaluate' or 'blindpo train'")
    if is_eval(path):
        return Source(name, load_eval(path), [])
    if (path / "run.json").is_file():
        return Source(name, None, read_curve(path / "metrics.jsonl"))
    raise SourceError(f"{path} is neither a finished evaluation nor a finished run; run its command to the end")


def read_curve(path: Path) -> list[dict[str, float]]:
    """The steps of a metrics.jsonl; [] without one."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def load_results(path: Path | None) -> dict[str, Any]:
    """A demo's results.json; {} without one."""
    if path is None:
        return {}
    found: dict[str, Any] = read_json(path)
    return found
