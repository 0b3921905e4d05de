"""Every error is one of ours, and errors.py draws their tree as it is."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from tests.house.source import MODULES, dotted, tree

import blindpo.errors


def drawn_errors() -> dict[str, str]:
    """Each error in the tree of errors.py's docstring, with its parent."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (blindpo.errors.__doc__ or "").splitlines():
        if error := re.match(r"^    ([ |`-]*)(\w+)(?:  .*)?$", line):
            depth, name = len(error[1]), error[2]
            above = [(at, other) for at, other in above if at < depth]
            parents[name] = above[-1][1] if above else "Exception"
            above.append((depth, name))
    return parents


def raised_errors() -> dict[str, tuple[str, Path]]:
    """Each exception class of the source, with its parent and its file."""
    errors: dict[str, tuple[str, Path]] = {}
    classes = [(node, path) for path in MODULES for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    for node, path in classes:
        bases = [base.id if isinstance(base, ast.Name) else getattr(base, "attr", "") for base in node.bases]
        if any(base.endswith(("Error", "Exception")) for base in bases):
            errors[node.name] = (bases[0], path)
    return errors


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    assert drawn_errors() == {name: parent for name, (parent, _) in raised_errors().items()}


@pytest.mark.parametrize("name", sorted(raised_errors()))
def test_every_error_is_one_of_ours_and_says_what_it_means(name: str) -> None:
    error = getattr(importlib.import_module(dotted(raised_errors()[name][1])), name)
    assert issubclass(error, blindpo.errors.BlindpoError)
    assert error.__doc__
