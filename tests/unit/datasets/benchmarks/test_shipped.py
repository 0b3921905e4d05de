"""Texts in the files that a benchmark ships: read by name, and nothing of them runs."""

import pytest

from blindpo.datasets.benchmarks.shipped import long_texts, python_constant, python_texts
from blindpo.errors import SourceError

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
