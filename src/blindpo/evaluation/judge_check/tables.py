"""Human labels and judges' verdicts from CSV files, row by row, with plain words for what does not fit."""

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blindpo.answer.refusal_phrases import looks_like_refusal
from blindpo.errors import SourceError
from blindpo.evaluation.judge_check.columns import JudgeCheckConfig
from blindpo.jobs.recipe import meant

Codes = NDArray[np.int8]
"""1 unsafe, 0 safe, -1 neither."""
NONE: Final = -1
MOST_FIELD_CHARACTERS: Final = 10_000_000
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Answers with verdicts and without a label: corrected rates are about them as well."""

    model: NDArray[np.str_] | None
    verdicts: dict[str, Codes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The rows that people labelled, N of them, and each judge's verdicts on them."""

    people: NDArray[np.bool_]
    """True: unsafe."""
    verdicts: dict[str, Codes]
    """By the column's name."""
    annotators: tuple[Codes, ...]
    model: NDArray[np.str_] | None
    categories: dict[str, NDArray[np.str_]]
    cluster: NDArray[np.int64]
    """Numbers from 0."""
    num_rows: int
    """The number of rows, those without a readable label included."""
    unmatched: int = 0
    """Labels that fit no answer."""
    unlabelled: Unlabelled


def read_checked(labels: Path, verdicts: Sequence[Path], config: JudgeCheckConfig) -> Checked:
    """Read all tables. Raises SourceError: no such file or column, other row counts, no row, no label."""
    rows = read_table(labels)
    wanted = [config.label, *config.annotators, config.model_column, *config.categories, config.cluster, config.key]
    require_columns(labels, rows, [*wanted, config.response if config.with_rules else None])
    by_judge: dict[str, Codes] = {}
    offered: list[str] = []
    for path in verdicts:
        for name, codes in _verdicts(path, labels, rows, config).items():
            offered.append(name)
            if config.judges and name not in config.judges:
                continue
            if name in by_judge:
                raise SourceError(f"{path}: judge '{name}' is in two files; rename one column")
            by_judge[name] = codes
    _require_judges(offered, config)
    if config.with_rules:
        texts = [row[config.response or ""] for row in rows]
        by_judge["refusal-rules"] = np.array([not looks_like_refusal(text) for text in texts], dtype=np.int8)
    if not by_judge:
        raise SourceError("there is no verdict to check; name a CSV of verdicts, or take --with-rules")
    return _labelled(labels, rows, by_judge, config)


def _require_judges(offered: Sequence[str], config: JudgeCheckConfig) -> None:
    lacking = [name for name in config.judges if name not in offered]
    if lacking:
        hint = meant(lacking[0], offered, cutoff=0.4)
        raise SourceError(
            f"no table of verdicts has the column '{lacking[0]}'{hint}; they have: {', '.join(offered) or 'none'}"
        )


def read_table(path: Path) -> list[Row]:
    """The rows of a CSV file with a header. Raises SourceError with what is wrong, and where."""
    csv.field_size_limit(min(sys.maxsize, MOST_FIELD_CHARACTERS))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            names = list(reader.fieldnames or [])
            doubled = [name for name in names if names.count(name) > 1]
            if doubled:
                raise SourceError(f"{path}: column '{doubled[0]}' occurs twice; rename one")
            rows = []
            for row in reader:
                if None in row or None in row.values():
                    raise SourceError(
                        f"{path}, line {reader.line_num}: it has another number of fields than the header"
                    )
                rows.append(row)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); give a CSV file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path} is no CSV file in UTF-8 ({error}); give one with a header line") from error
    if not rows:
        raise SourceError(f"{path} holds no row; give a CSV file with a header line and a row for each answer")
    return rows


def require_columns(path: Path, rows: Sequence[Row], columns: Iterable[str | None]) -> None:
    """Raise SourceError for a column that is not there; None asks for none."""
    for column in columns:
        if column is not None and column not in rows[0]:
            raise SourceError(f"{path} has no column '{column}'; it has: {', '.join(rows[0])}")


def require_labels(path: Path, rows: Sequence[Row], column: str) -> None:
    """Raise SourceError where nobody has labelled a row yet."""
    if not any(row[column].strip() for row in rows):
        raise SourceError(f"{path}: column '{column}' is empty; fill in the labels of some rows, and run this again")


def _verdicts(path: Path, labels: Path, rows: Sequence[Row], config: JudgeCheckConfig) -> dict[str, Codes]:
    theirs = read_table(path)
    if config.key is None and len(theirs) != len(rows):
        raise SourceError(
            f"{path} has {len(theirs)} rows and {labels} has {len(rows)}; "
            "without --key they must be the same answers in the same order"
        )
    names = [name for name in theirs[0] if name != config.key]
    if config.key is not None:
        require_columns(path, theirs, [config.key])
        theirs = _by_key(path, theirs, rows, config.key)
    return {name: _codes([row.get(name, "") for row in theirs], config) for name in names}


def _by_key(path: Path, theirs: Sequence[Row], rows: Sequence[Row], key: str) -> list[Row]:
    """Their rows in our order; an answer that they lack gets an empty row."""
    placed: dict[str, Row] = {}
    for row in theirs:
        if row[key] in placed:
            raise SourceError(f"{path}: key '{row[key]}' occurs twice in column '{key}'; each answer needs its own")
        placed[row[key]] = row
    if not any(row[key] in placed for row in rows):
        raise SourceError(
            f"{path}: none of its keys in column '{key}' is among the labels'; are these the same answers?"
        )
    return [placed.get(row[key], {}) for row in rows]


def _codes(values: Iterable[str], config: JudgeCheckConfig) -> Codes:
    words = {word.casefold(): 0 for word in config.verdict_safe}
    words |= {word.casefold(): 1 for word in config.verdict_unsafe}
    return np.array([words.get(value.strip().casefold(), NONE) for value in values], dtype=np.int8)


def label_code(value: str, config: JudgeCheckConfig) -> int:
    """1 (unsafe), 0 (safe) or -1 for a human label: it is a configured word, or begins with one that ends at a sign."""
    folded = value.strip().casefold()
    for code, words in ((0, config.safe), (1, config.unsafe)):
        for word in map(str.casefold, words):
            if folded.startswith(word) and not folded[len(word) : len(word) + 1].isalnum():
                return code
    return NONE


def _labelled(path: Path, rows: Sequence[Row], by_judge: dict[str, Codes], config: JudgeCheckConfig) -> Checked:
    codes = np.array([label_code(row[config.label], config) for row in rows], dtype=np.int8)
    kept = codes != NONE
    require_labels(path, rows, config.label)
    if not kept.any():
        raise SourceError(
            f"{path}, column '{config.label}': no label begins with {', '.join(config.safe)} (safe) or "
            f"{', '.join(config.unsafe)} (unsafe); say which words mean what with --safe and --unsafe"
        )

    def column(name: str, which: NDArray[np.bool_] = kept) -> NDArray[np.str_]:
        values: NDArray[np.str_] = np.array([row[name].strip() or "(none)" for row in rows], dtype=np.str_)[which]
        return values

    alone = np.arange(int(kept.sum()))
    cluster = alone if config.cluster is None else np.unique(column(config.cluster), return_inverse=True)[1]
    return Checked(
        people=codes[kept] == 1,
        verdicts={name: verdicts[kept] for name, verdicts in by_judge.items()},
        annotators=tuple(
            np.array([label_code(row[name], config) for row in rows], dtype=np.int8)[kept] for name in config.annotators
        ),
        model=None if config.model_column is None else column(config.model_column),
        categories={name: column(name) for name in config.categories},
        cluster=cluster.astype(np.int64),
        num_rows=len(rows),
        unlabelled=Unlabelled(
            None if config.model_column is None else column(config.model_column, ~kept),
            {name: verdicts[~kept] for name, verdicts in by_judge.items()},
        ),
    )
