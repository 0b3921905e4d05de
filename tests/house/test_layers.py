"""The picture of the layers, the tree of errors and the table of methods are true."""

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

import blindpo.errors
from tests.house.source import MODULES, ROOT, dotted, room, tree


def test_the_layers_of_flow_md_are_those_that_import_linter_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["containers"] == ["blindpo"])
    line = " > ".join(f"({layer})" if "|" in layer else layer for layer in layers)
    drawn = [text.strip() for text in (ROOT / "docs" / "flow.md").read_text().splitlines() if text.count(" > ") > 3]
    assert drawn == [line]


def test_every_package_stands_in_the_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["containers"] == ["blindpo"])
    rooms = {room(path).partition("/")[0].removesuffix(".py") for path in MODULES} - {"__init__", "__main__"}
    assert rooms == {word for layer in layers for word in layer.split(" | ")}


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


METHODS: Final = ROOT / "src" / "blindpo" / "training" / "methods.py"
METHOD_ROOMS: Final = frozenset({"training/methods.py", "training/loss.py"})


@pytest.mark.skipif(not METHODS.exists(), reason="the table of methods is not there yet")
def test_no_method_is_known_by_name_outside_of_the_table_of_methods() -> None:
    compared = [
        f"{room(path)}:{node.lineno}"
        for path in MODULES
        if room(path) not in METHOD_ROOMS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Compare | ast.match_case)
        for child in ast.walk(node.pattern if isinstance(node, ast.match_case) else node)
        if isinstance(child, ast.Constant) and child.value in {"bpo", "dpo", "ipo"}
    ]
    assert not compared, f"ask the table of methods instead: {compared}"
