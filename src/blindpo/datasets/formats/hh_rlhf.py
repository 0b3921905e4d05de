"""Anthropic's HH-RLHF as released (https://github.com/anthropics/hh-rlhf, MIT): pairs of whole dialogues in text.

JSON lines, plain or gzipped, with two texts each, `\\n\\nHuman: ...\\n\\nAssistant: ...`: `chosen` and `rejected`. The
prompt is what both share up to their last `\\n\\nAssistant:`. Texts are split only at `\\n\\nHuman:` and
`\\n\\nAssistant:`, since turns have paragraphs. As in the released multimodal rows, one space after the role belongs to
the marker and everything else is kept exactly. Other records are refused with one of the codes below; a few per cent of
the public files are.
"""

import contextlib
import gzip
import io
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.download import Download
from blindpo.datasets.formats.base import (
    TAG,
    Format,
    dialogue_id,
    keep,
    kept_fields,
    merged,
    require_object,
    require_pair,
)
from blindpo.datasets.formats.jsonl import SUFFIXES, JsonLines, Line, stem_of
from blindpo.errors import RowError, SourceError
from blindpo.rows.row import PreferenceRow, Provenance, Role, Turn

NO_PAIRS: Final = "red-team-attempts"
"""A folder of the release without pairs; it is skipped when its parent is read."""
_ROLES: Final[dict[str, Role]] = {"Human": "user", "Assistant": "assistant"}
_SPEAKERS: Final = {role: speaker for speaker, role in _ROLES.items()}
_MARK: Final = re.compile(r"\n\n(Human|Assistant):")
_SPLIT: Final = re.compile(r"(?:^|[/_-])(train|test)(?:[_-]|$)")


class HHRLHF(Format):
    """The format `hh-rlhf`."""

    name = "hh-rlhf"

    def files(self, download: Download) -> list[str]:
        """The file, or the .jsonl and .jsonl.gz files below a folder, in order of their names."""
        return [path.relative_to(download.folder).as_posix() for path in text_files(download.path)]

    def records(self, download: Download) -> Sequence[Any]:
        """All lines; each is parsed only in `to_row`, so that a bad line costs no other."""
        return JsonLines([download.hashed(name) for name in self.files(download)], download.folder)

    def record_id(self, record: Any, number: int) -> str:
        """`hh-rlhf-FILE-LINE`, lines counted from 1."""
        return line_id(record)

    def row_ids(self, records: Sequence[Any], download: Download) -> list[tuple[str, ...]]:
        """One id for each line."""
        lines = records.stream() if isinstance(records, JsonLines) else records
        return [(line_id(line),) for line in lines]

    def to_row(self, record: Any, row_id: str, download: Download | None) -> PreferenceRow:
        """The text-only row of one line."""
        known = _parsed(record)
        prompt, chosen, rejected = _pair(known)
        words = [turn.text for turn in prompt]
        row = PreferenceRow(
            row_id=row_id,
            prompt=prompt,
            chosen=chosen,
            rejected=rejected,
            provenance=Provenance(
                source=self.name,
                source_row_id=f"{record.stem}:{record.number}",
                dialogue_id=dialogue_id(*words, chosen, rejected),
                split=split_of(record.stem),
            ),
        )
        kept = keep(row, known, _own(row))
        plain = '{"keys":["chosen","rejected"],"fields":{}}'
        return row if kept.extra == plain else kept

    def to_record(self, row: PreferenceRow) -> dict[str, Any]:
        """The two texts of a text-only row, exactly as they were imported. Raises RowError."""
        if row.images:
            raise RowError(
                "HH-RLHF is text alone, the row has an image ('blindpo build' reads the data folder as it is)",
                row_id=row.row_id,
                field="images",
            )
        keys, fields = kept_fields(row, self.name)
        own = _own(row)
        as_read = {key: fields.get(key, own.get(key)) for key in keys}
        rest = {key: value for key, value in fields.items() if key not in own}
        for record in (as_read, {**own, **rest}):
            with contextlib.suppress(RowError):
                if record and _pair(record) == (merged(row.prompt), row.chosen, row.rejected):
                    return record
        raise RowError("these turns, as HH-RLHF's text, would read back as others", row_id=row.row_id, field="prompt")

    def write(self, records: Iterable[Any], out: Path) -> None:
        """Write JSON lines; gzipped, without a date, if `out` ends in .gz."""
        partial = out.with_name(f".{out.name}.partial")
        with partial.open("wb") as raw, contextlib.ExitStack() as stack:
            sink: Any = raw
            if out.suffix == ".gz":
                sink = stack.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0))
            text = stack.enter_context(io.TextIOWrapper(sink, encoding="utf-8", newline="\n"))
            for record in records:
                text.write(json.dumps(record, ensure_ascii=False) + "\n")
        partial.replace(out)


def text_files(source: Path) -> list[Path]:
    """The file, or the .jsonl and .jsonl.gz files below a folder, in order of their names. Raises SourceError."""
    if not source.is_dir():
        return [source]
    paths = sorted(
        path
        for path in source.rglob("*.jsonl*")
        if path.is_file() and path.name.endswith(SUFFIXES) and NO_PAIRS not in path.relative_to(source).parts
    )
    if not paths:
        raise SourceError(f"{source} holds no .jsonl or .jsonl.gz file; give such a file or the folder with them")
    stems = [stem_of(path, source) for path in paths]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise SourceError(f"{source} holds '{twice}' twice, plain and gzipped; keep one of them")
    return paths


def line_id(line: Line) -> str:
    """The row id of a line, even of a bad one."""
    return f"{HHRLHF.name}-{line.stem}-{line.number}"


def split_of(stem: str) -> str | None:
    """The split that a file's name states.

    >>> split_of("harmless-base/train"), split_of("trainers")
    ('train', None)
    """
    splits = _SPLIT.findall(stem)
    return splits[-1] if splits else None


def _parsed(line: Line) -> Mapping[str, Any]:
    if line.data is None:
        raise RowError("over-long-line: the line is longer than a dialogue can be", field="record")
    try:
        return require_object(line.content)
    except (ValueError, RecursionError) as error:
        raise RowError("not-json: the line is not whole JSON in UTF-8", field="record") from error


def _pair(record: Mapping[str, Any]) -> tuple[tuple[Turn, ...], str, str]:
    """Prompt, chosen and rejected of one record. Raises RowError with a code."""
    (first, chosen), (second, rejected) = (_turns(record, field) for field in ("chosen", "rejected"))
    if first != second:
        raise RowError("prefix-differs: chosen and rejected answer different dialogues", field="rejected")
    if chosen.strip() == rejected.strip():
        raise RowError("identical-pair: chosen and rejected are the same text", field="rejected")
    return first, chosen, rejected


def _turns(record: Mapping[str, Any], field: str) -> tuple[tuple[Turn, ...], str]:
    """The turns before the last one, and the last one's text."""
    text = record.get(field)
    if not isinstance(text, str):
        raise RowError(f"no-text: the field '{field}' is missing or no text", field=field)
    marks = list(_MARK.finditer(text))
    if not marks or marks[0].start() != 0 or marks[0].group(1) != "Human":
        raise RowError("no-leading-marker: the text does not begin with a Human turn", field=field)
    roles = [_ROLES[mark.group(1)] for mark in marks]
    if any(one == other for one, other in itertools.pairwise(roles)):
        raise RowError("repeated-role: two turns of one role follow each other", field=field)
    if roles[-1] != "assistant":
        raise RowError("ends-with-human: the last turn is not the Assistant's", field=field)
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    texts = [text[mark.end() : end].removeprefix(" ") for mark, end in zip(marks, ends, strict=True)]
    if not all(map(str.strip, texts)):
        raise RowError("empty-turn: a turn is blank", field=field)
    if TAG in text:
        raise RowError(f"image-tag: the text holds {TAG}, which a model would take for an image", field=field)
    turns = tuple(Turn(role=role, content=(part,)) for role, part in zip(roles[:-1], texts[:-1], strict=True))
    return turns, texts[-1]


def _own(row: PreferenceRow) -> dict[str, Any]:
    """The record that the row's own fields give."""
    chosen, rejected = require_pair(row)
    if any(turn.role not in _SPEAKERS for turn in row.prompt):
        raise RowError("HH-RLHF has no system turn", row_id=row.row_id, field="prompt")
    shared = "".join(f"\n\n{_SPEAKERS[turn.role]}: {turn.text}" for turn in row.prompt)
    return {field: f"{shared}\n\nAssistant: {text}" for field, text in (("chosen", chosen), ("rejected", rejected))}
