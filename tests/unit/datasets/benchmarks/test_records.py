"""Whatever stands in a record's place, an adapter gives a reason and no other error; shipped files are only read."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.datasets.benchmarks.downloads import WRITERS

from blindpo.datasets.benchmarks.shipped import long_texts, python_constant, python_texts
from blindpo.datasets.download import Download
from blindpo.datasets.table import BENCHMARKS
from blindpo.errors import RowError, SourceError

GARBAGE: list[Any] = [None, 3, "x", [], {}, [1], {"x": 1}]


def spoiled(record: Any) -> list[Any]:
    """The record with garbage in its place, and with garbage in the place of each of its fields."""
    if isinstance(record, tuple):
        place = next(n for n, part in enumerate(record) if isinstance(part, dict))
        return [(*record[:place], other, *record[place + 1 :]) for other in spoiled(record[place])]
    fields = [{**record, key: other} for key in record for other in GARBAGE]
    return [*GARBAGE, *fields, *({k: v for k, v in record.items() if k != key} for key in record)]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_spoiled_record_is_a_reason_and_never_another_error(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    benchmark = BENCHMARKS[name]
    download = Download(tmp_path, benchmark.card.fetch)
    records = benchmark.records(download)
    refused = 0
    for record in spoiled(records[-1]):
        try:
            list(benchmark.rows(record, 0, download))
        except RowError:
            refused += 1
    assert refused > len(GARBAGE) - 1


CODE = '''
NAME = "first"
NAME = "last"
TABLE = {"a": {"b": "deep"}, "list": ["x", "y"], "number": 3}
def f(x):
    TEXT = f"say {x} twice"
    LONG = """ %s """.strip()
''' % ("long " * 60)


def test_texts_are_found_by_name_and_nothing_runs() -> None:
    assert python_constant(CODE, "NAME", where="f") == "last"
    assert python_constant(CODE, "TABLE.a.b", where="f") == "deep"
    assert python_constant(CODE, "f.TEXT", where="f") == "say {x} twice"
    assert python_constant(CODE, "f.LONG", where="f").startswith("long")
    assert python_texts(CODE, "TABLE.list", where="f") == ["x", "y"]
    assert [text.strip()[:4] for text in long_texts(CODE, where="f")] == ["long"]
    assert python_constant("import nothing_there\nX = 'y'\nraise SystemExit", "X", where="f") == "y"


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("MISSING", "has no 'MISSING'"),
        ("TABLE.number", "is not a text"),
        ("f", "is a function"),
        ("TABLE.x.y", "has no"),
    ],
)
def test_another_file_is_told(name: str, word: str) -> None:
    with pytest.raises(SourceError, match=word):
        python_constant(CODE, name, where="f")
    with pytest.raises(SourceError, match="not a list of texts"):
        python_texts(CODE, "NAME", where="f")
    with pytest.raises(SourceError, match="not a complete Python file"):
        long_texts("def (", where="f")
