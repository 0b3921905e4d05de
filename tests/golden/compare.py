"""Two folders compared file by file: the same bytes, or a difference that a table explains.

A difference is explained by an `Allowed`: which files, which values in them, and why. One that explains nothing is an
error too, so that the table cannot outlive what it was written for. JSON, JSON lines and Parquet are compared value by
value, so that one allowed key does not hide its neighbours; text line by line; all else byte by byte.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow.parquet as pq

State = Literal["same", "excepted", "DIFFERENT"]
MISSING: Final = "(not there)"
TEXT: Final = (".md", ".html", ".txt", ".csv", ".yaml", ".svg", ".jinja")
MOST_SHOWN: Final = 3
MOST_CHARACTERS: Final = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Allowed:
    """A difference that may be, and why."""

    reason: str
    files: str
    """Glob of paths, as the base names them; * goes across folders."""
    keys: tuple[str, ...] = ()
    """Globs of values in JSON, JSON lines (their first part is the line's number) or Parquet (rows.NUMBER.column...),
    by names with dots between them."""
    becomes: Mapping[str, str] = field(default_factory=dict)
    """With keys: old value -> new value. A value that is not here must be the same."""
    words: str = ""
    """Of text files: a regular expression; what it matches is cut out of both sides."""
    only: Literal["", "base", "head"] = ""
    """The file lies on this side alone."""
    is_chance: bool = False
    """Whether two runs may well agree there: such an entry need not be used."""

    @property
    def is_whole(self) -> bool:
        """Whether it allows any difference of the file's content."""
        return not (self.keys or self.words or self.only)


@dataclass(frozen=True, kw_only=True, eq=False)
class Renamed:
    """A path that HEAD spells in another way."""

    reason: str
    old: str
    """Regular expression, searched in the base's path."""
    new: str
    """What stands in its place, as `re.sub` takes it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one file."""

    file: str
    state: State
    why: str = ""


class Comparison:
    """Compares two folders under one table, and remembers which of its entries were needed."""

    def __init__(self, allowed: Sequence[Allowed], renamed: Sequence[Renamed] = ()) -> None:
        self._allowed = allowed
        self._renamed = renamed
        self._used: set[Allowed | Renamed] = set()

    def folders(self, base: Path, head: Path) -> list[Outcome]:
        """The outcome for every file of either folder, by path."""
        ours = {self._new_name(name): name for name in _files(base)}
        outcomes = []
        for name in sorted({*ours, *_files(head)}):
            old = ours.get(name, name)
            outcomes.append(self._file(old, base / old, head / name))
        return outcomes

    def unused(self) -> list[str]:
        """The reasons of entries that explained nothing and should have."""
        due = [*(each for each in self._allowed if not each.is_chance), *self._renamed]
        return [f"{each.reason} ({_where(each)})" for each in due if each not in self._used]

    def _new_name(self, name: str) -> str:
        for each in self._renamed:
            if re.search(each.old, name):
                self._used.add(each)
                name = re.sub(each.old, each.new, name)
        return name

    def _file(self, name: str, base: Path, head: Path) -> Outcome:
        for side, other in (("base", head), ("head", base)):
            if not other.is_file():
                entry = next((each for each in self._for(name) if each.only == side), None)
                return self._excepted(name, [entry]) if entry else Outcome(name, "DIFFERENT", f"only {side} has it")
        if base.read_bytes() == head.read_bytes():
            return Outcome(name, "same")
        whole = next((each for each in self._for(name) if each.is_whole), None)
        if whole:
            return self._excepted(name, [whole])
        if base.suffix in (".json", ".jsonl", ".parquet"):
            return self._values(name, base, head)
        if base.suffix in TEXT:
            return self._text(name, base, head)
        return Outcome(name, "DIFFERENT", _bytes_apart(base, head))

    def _values(self, name: str, base: Path, head: Path) -> Outcome:
        old, new = dict(_leaves(_parse(base))), dict(_leaves(_parse(head)))
        entries: list[Allowed] = []
        unexplained: list[str] = []
        for key in dict.fromkeys((*old, *new)):
            before, after = old.get(key, MISSING), new.get(key, MISSING)
            if before == after:
                continue
            each = next((each for each in self._for(name) if _allows(each, key, before, after)), None)
            if each is None:
                unexplained.append(f"{key}: {_short(before)} -> {_short(after)}")
            elif each not in entries:
                entries.append(each)
        if unexplained or not entries:
            return Outcome(name, "DIFFERENT", _listed(unexplained) or "the same values in other bytes")
        return self._excepted(name, entries)

    def _text(self, name: str, base: Path, head: Path) -> Outcome:
        old, new = base.read_text(encoding="utf-8"), head.read_text(encoding="utf-8")
        entries = []
        for each in self._for(name):
            if each.words and old != new:
                cut = [re.sub(each.words, "", text) for text in (old, new)]
                if cut != [old, new]:
                    entries.append(each)
                    old, new = cut
        return self._excepted(name, entries) if old == new else Outcome(name, "DIFFERENT", _lines_apart(old, new))

    def _for(self, name: str) -> Iterator[Allowed]:
        return (each for each in self._allowed if fnmatchcase(name, each.files))

    def _excepted(self, name: str, entries: Sequence[Allowed]) -> Outcome:
        self._used.update(entries)
        return Outcome(name, "excepted", "; ".join(each.reason for each in entries))


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _where(each: Allowed | Renamed) -> str:
    if isinstance(each, Renamed):
        return each.old
    return " ".join([each.files, *each.keys, *([each.words] if each.words else [])])


def _parse(path: Path) -> Any:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return {"schema": str(table.schema), "metadata": str(table.schema.metadata), "rows": table.to_pylist()}
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else [json.loads(line) for line in text.split("\n") if line]


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every plain value with the names that lead to it; 1, 1.0 and true are three values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner:
        yield at, repr(value)
    for name, each in inner:
        yield from _leaves(each, f"{at}.{name}" if at else str(name))


def _allows(each: Allowed, key: str, before: str, after: str) -> bool:
    if not any(fnmatchcase(key, pattern) for pattern in each.keys):
        return False
    return not each.becomes or any((before, after) == (repr(old), repr(new)) for old, new in each.becomes.items())


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."


def _listed(differences: Sequence[str]) -> str:
    more = f", and {len(differences) - MOST_SHOWN} more" if len(differences) > MOST_SHOWN else ""
    return ", ".join(differences[:MOST_SHOWN]) + more


def _lines_apart(old: str, new: str) -> str:
    ours, theirs = old.split("\n"), new.split("\n")
    for number, (before, after) in enumerate(zip(ours, theirs, strict=False), start=1):
        if before != after:
            start = next((n for n, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
            start = max(0, start - 10)
            return f"line {number}: {_short(before[start:])} -> {_short(after[start:])}"
    return f"{len(ours)} lines -> {len(theirs)} lines"


def _bytes_apart(base: Path, head: Path) -> str:
    old, new = base.read_bytes(), head.read_bytes()
    place = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    return f"{len(old)} bytes -> {len(new)} bytes, other from byte {place} on"
