"""The page of layers is true, and no module knows a method by its name."""

import ast
import tomllib
from typing import Final

from tests.house.source import MODULES, ROOT, room, tree


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


METHOD_ROOMS: Final = frozenset({"training/methods.py", "training/loss.py"})


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
