"""Two folders compared file by file: the same bytes, or a difference that a table explains.

A difference is explained by an `Allowed`: which files, which values in them, and why. One that explains nothing is an
error too, so that the table cannot outlive what it was written for. JSON, JSON lines and Parquet are compared value by
value, so that one allowed key does not hide its neighbours; text line by line; all else byte by byte.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
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
    """Globs of values in JSON, JSON lines or Parquet (rows.NUMBER.column...), by names with dots between them. A line's
    name is its number, with HEAD's view of it if there is one: `5 swapped`; that of an object in a list is its `id`, or
    its number."""
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Respelled:
    """A key that HEAD spells in another way, with the same value: so the values under it are still compared."""

    reason: str
    files: str
    """Glob of paths, as the base names them."""
    old: str
    """Regular expression, searched in the base's key (names with dots between them)."""
    new: str
    """What stands in its place, as `re.sub` takes it."""
    becomes: Mapping[str, str] = field(default_factory=dict)
    """Old value -> new value, where values are spelled anew as well."""

    def spell(self, key: str, value: str) -> tuple[str, str]:
        """Key and value as HEAD spells them; unchanged where this is not about them."""
        if not re.search(self.old, key):
            return key, value
        return re.sub(self.old, self.new, key), {repr(a): repr(b) for a, b in self.becomes.items()}.get(value, value)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one file."""

    file: str
    state: State
    why: str = ""


class Comparison:
    """Compares two folders under one table, and remembers which of its entries were needed."""

    def __init__(
        self, allowed: Sequence[Allowed], renamed: Sequence[Renamed] = (), respelled: Sequence[Respelled] = ()
    ) -> None:
        self._allowed = allowed
        self._renamed = renamed
        self._respelled = respelled
        self._used: set[Allowed | Renamed | Respelled] = set()

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
        due: list[Allowed | Renamed | Respelled] = [each for each in self._allowed if not each.is_chance]
        due += [*self._renamed, *self._respelled]
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
        ours, theirs = _parse(base), _parse(head)
        if base.suffix == ".jsonl":
            ours, theirs = _named_lines(ours, theirs), _named_lines(theirs, theirs)
        new = dict(_leaves(theirs))
        old, respelled = self._respell(name, dict(_leaves(ours)))
        entries: list[Allowed | Respelled] = [*respelled]
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

    def _respell(self, name: str, leaves: Mapping[str, str]) -> tuple[dict[str, str], list[Respelled]]:
        """The base's leaves as HEAD spells their keys, and the entries that did so."""
        entries = []
        for each in self._respelled:
            if fnmatchcase(name, each.files):
                anew = dict(each.spell(key, value) for key, value in leaves.items())
                if anew != leaves:
                    entries.append(each)
                    leaves = anew
        return dict(leaves), entries

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

    def _excepted(self, name: str, entries: Sequence[Allowed | Respelled]) -> Outcome:
        self._used.update(entries)
        return Outcome(name, "excepted", "; ".join(dict.fromkeys(each.reason for each in entries)))


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _where(each: Allowed | Renamed | Respelled) -> str:
    if isinstance(each, Renamed):
        return each.old
    if isinstance(each, Respelled):
        return f"{each.files} {each.old}"
    return " ".join([each.files, *each.keys, *([each.words] if each.words else [])])


def _parse(path: Path) -> Any:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        metadata = {name.decode(): json.loads(text) for name, text in (table.schema.metadata or {}).items()}
        return {
            "schema": _kind(pa.struct(table.schema)),
            "metadata": metadata,
            "rows": dict(enumerate(table.to_pylist())),
        }
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    return [json.loads(line) for line in text.split("\n") if line]


def _named_lines(lines: Sequence[Any], views: Sequence[Any]) -> dict[str, Any]:
    """JSON lines by number, with the view that the line of this number has in `views`."""
    ends = [f" {line['view']}" if isinstance(line, dict) and "view" in line else "" for line in views]
    ends += [""] * (len(lines) - len(ends))
    return {f"{number}{end}": line for number, (line, end) in enumerate(zip(lines, ends, strict=False))}


def _kind(kind: pa.DataType) -> Any:
    """A Parquet type as lists and objects, so that each field of it is compared by its name."""
    if pa.types.is_list(kind):
        return [_kind(kind.value_type)]
    return {each.name: _kind(each.type) for each in kind} if pa.types.is_struct(kind) else str(kind)


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Every plain value with the names that lead to it; 1, 1.0 and true are three values."""
    inner = value.items() if isinstance(value, dict) else _named(value) if isinstance(value, list) else ()
    if not inner:
        yield at, repr(value)
    for name, each in inner:
        yield from _leaves(each, f"{at}.{name}" if at else str(name))


def _named(values: list[Any]) -> Iterable[tuple[Any, Any]]:
    """The values by number; objects that have an `id` each by that, so that one that is new moves no other."""
    names = {value["id"]: value for value in values if isinstance(value, dict) and isinstance(value.get("id"), str)}
    return names.items() if len(names) == len(values) else enumerate(values)


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
