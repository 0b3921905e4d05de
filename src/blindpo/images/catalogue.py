"""The offline image source: a folder of images with `index.jsonl`, one entity per line.

    {"name": "Eiffel Tower", "type": "LOC", "image": "tower.jpg", "aliases": ["the Iron Lady"],
     "title": ..., "page": ..., "licence": ..., "licence_url": ..., "author": ..., "free": true, "plural": false}

`name` and `image` (a file name below the folder) are required; a missing optional field is unknown. Lines with the same
name are several candidates for it, in their order. The recogniser `catalogue` looks for these names in texts.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from blindpo.errors import ImageError, SourceError
from blindpo.images.base import ENTITY_TYPES, Accept, Candidate, LookupAnswer, Query, Refused, first_accepted
from blindpo.images.folder import find_image, is_plain_name
from blindpo.images.names import name_key
from blindpo.jobs.manifest import write_text
from blindpo.rows.row import ImageRef

INDEX: Final = "index.jsonl"
_TEXTS: Final = ("title", "page", "licence", "licence_url", "author")
_TRUTHS: Final = ("free", "plural")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the index."""

    name: str
    image: str
    """File name below the catalogue's folder."""
    type: str | None = None
    aliases: tuple[str, ...] = ()
    title: str | None = None
    page: str | None = None
    licence: str | None = None
    licence_url: str | None = None
    author: str | None = None
    free: bool | None = None
    plural: bool | None = None
    """True if the name is plural ("the Beatles")."""

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)


class Catalogue:
    """The source `catalogue`."""

    name = "catalogue"

    def __init__(self, folder: Path) -> None:
        """Read the index of `folder`. Raises SourceError that names the line and the allowed values."""
        self.folder = folder
        self.entries = read_index(folder)
        self._by_name: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            for key in dict.fromkeys(map(name_key, entry.names)):
                self._by_name[key].append(entry)

    def identity(self) -> object:
        """Hash of the index and of every image that it names."""
        digest = sha256((self.folder / INDEX).read_bytes())
        for image in sorted({entry.image for entry in self.entries}):
            path = self.folder / image
            digest.update(image.encode() + b"\0" + (sha256(path.read_bytes()).digest() if path.is_file() else b""))
        return digest.hexdigest()

    def look_up(self, queries: Sequence[Query], accept: Accept) -> Iterator[LookupAnswer]:
        """Answer with entries of the same folded name or alias, in the order of the index."""
        for query in queries:
            offers = map(self._offer, self._by_name.get(name_key(query.text), []))
            yield first_accepted(query, offers, accept, miss="the catalogue has no such name")

    def _offer(self, entry: Entry) -> Candidate | Refused:
        try:
            file = find_image(self.folder, entry.image)
        except ImageError as error:
            return Refused(title=entry.title or entry.name, source=self.name, reason=error.reason)
        details = {"licence_url": entry.licence_url, "plural": "true" if entry.plural else None}
        return Candidate(
            image=ImageRef(
                data=file.data,
                file=Path(entry.image).name,
                title=entry.title or entry.name,
                page=entry.page,
                licence=entry.licence,
                author=entry.author,
            ),
            source=self.name,
            entity_type=entry.type,
            free=entry.free,
            details={key: value for key, value in details.items() if value},
        )


def read_index(folder: Path) -> list[Entry]:
    """Read the entries of a catalogue folder. Raises SourceError."""
    path = folder / INDEX
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror}); a catalogue is a folder of images with {INDEX}, "
            'one {"name": ..., "image": ..., "type": ...} per line'
        ) from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    entries = [_entry(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not entries:
        raise SourceError(f"{path} is empty; it needs one entity per line")
    return entries


def write_index(folder: Path, entries: Iterable[Entry]) -> None:
    """Write `index.jsonl` for `read_index`; empty fields are left out."""
    lines = []
    for entry in entries:
        fields = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
        lines.append(json.dumps({key: value for key, value in fields.items() if value not in (None, ())}) + "\n")
    write_text(folder / INDEX, "".join(lines))


def _entry(line: str, where: str) -> Entry:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{where} is not JSON; write one object per line") from error
    if not isinstance(fields, dict):
        raise SourceError(f"{where} is not a JSON object; write one object per line")
    _require_fields(fields, where)
    return Entry(**{**fields, "aliases": tuple(fields.get("aliases") or ())})


def _require_fields(fields: Mapping[str, Any], where: str) -> None:
    unknown = set(fields) - set(Entry.__dataclass_fields__)
    if unknown:
        allowed = ", ".join(Entry.__dataclass_fields__)
        raise SourceError(f"{where}: unknown field '{min(unknown)}'; allowed: {allowed}")
    for field in ("name", "image"):
        if not isinstance(fields.get(field), str) or not fields[field].strip():
            raise SourceError(f"{where}: '{field}' is missing or not text; every entity needs a name and an image")
    if not is_plain_name(fields["image"]):
        raise SourceError(f"{where}: 'image' leaves the catalogue's folder; give a plain relative file name")
    if fields.get("type") not in (None, *ENTITY_TYPES):
        raise SourceError(f"{where}: 'type' is '{fields['type']}'; allowed: {', '.join(ENTITY_TYPES)}, or leave it out")
    aliases = fields.get("aliases") or []
    if not isinstance(aliases, list) or not all(isinstance(alias, str) and alias.strip() for alias in aliases):
        raise SourceError(f"{where}: 'aliases' is not a list of names")
    for field, kind, allowed in [*((f, str, "text") for f in _TEXTS), *((f, bool, "true or false") for f in _TRUTHS)]:
        if fields.get(field) is not None and not isinstance(fields[field], kind):
            raise SourceError(f"{where}: '{field}' must be {allowed}")
