"""Tests lie where the source lies: what holds `training/loss.py` is looked for in `tests/unit/training/test_loss.py`.

A package may also be tested as a whole, in a file that has its name (`tests/unit/evaluation/test_suite.py`, or one of
`tests/contract` and `tests/story`): that counts for the modules which the file imports, and for all modules of the
package where the file goes in by its door (`run.py`, `table.py` or `main.py`; plug-ins stand in the table above their
package).
"""

import ast
from pathlib import Path
from typing import Final

from tests.house.source import MODULES, PACKAGE, ROOT, TESTS, dotted, name, room, tree

TEST_ROOMS: Final = ("unit", "contract", "story", "numeric")
DOORS: Final = ("run", "table", "main")
UNNAMED: Final = frozenset({"__init__", "__main__"})
LEFT: Final = frozenset(
    [
        "answer/answerer.py",
        "answer/chat.py",
        "answer/config.py",
        "answer/from_file.py",
        "blinding/config.py",
        "building/card.py",
        "building/config.py",
        "building/draft.py",
        "building/match.py",
        "building/out.py",
        "building/pipeline.py",
        "building/text_models.py",
        "building/words.py",
        "evaluation/config.py",
        "evaluation/eval_folder.py",
        "evaluation/inspect/registry.py",
        "evaluation/suite/run.py",
        "images/base.py",
        "images/fetch_config.py",
        "images/names.py",
        "images/wikipedia_api.py",
        "jobs/progress.py",
        "models/chat/in_flight.py",
        "models/vlm/attention.py",
        "models/vlm/generation_config.py",
        "models/vlm/quantized.py",
        "reporting/headline.py",
        "reporting/load.py",
        "reporting/story.py",
        "rows/row.py",
        "rows/view_names.py",
        "training/config.py",
        "training/mismatch.py",
        "training/output/save.py",
        "training/trainer.py",
    ]
)
"""Modules without a test of their name: this list only shrinks."""
MOST_LEFT: Final = 35


def own_tests(path: Path) -> list[Path]:
    """The test files that have a module's name, in the place that mirrors its own; also those of a flat room."""
    where = path.relative_to(PACKAGE).parent
    return [
        test
        for test in (
            ROOT / "tests" / "unit" / where / f"test_{path.stem}.py",
            *(ROOT / "tests" / other / f"test_{path.stem}.py" for other in TEST_ROOMS[1:]),
        )
        if test.is_file()
    ]


def package_tests(path: Path) -> list[Path]:
    """The test files that have the name of one of the packages around a module."""
    tests = []
    for package in (parent for parent in path.parents if PACKAGE in parent.parents):
        above = package.relative_to(PACKAGE).parent
        tests.append(ROOT / "tests" / "unit" / above / f"test_{package.name}.py")
        tests += [ROOT / "tests" / other / f"test_{package.name}.py" for other in TEST_ROOMS[1:]]
    return [test for test in tests if test.is_file()]


def imports(test: Path) -> set[str]:
    """All modules that a test file imports by name."""
    names = set()
    for node in ast.walk(tree(test)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def is_tested(path: Path) -> bool:
    """Whether a test is where one looks for it."""
    doors = {*(dotted(path.parent / f"{door}.py") for door in DOORS), dotted(path.parent.parent / "table.py")}
    return bool(own_tests(path)) or any(imports(test) & {dotted(path), *doors} for test in package_tests(path))


def untested() -> set[str]:
    """The modules for which no test is where one looks for it."""
    return {room(path) for path in MODULES if path.stem not in UNNAMED and not is_tested(path)}


def test_every_module_has_a_test_of_its_name_or_its_packages() -> None:
    missing = untested()
    assert not missing - LEFT, "give the module a test file of its name"
    assert not LEFT - missing, "it has one now, or is gone: take it off the list"
    assert len(LEFT) <= MOST_LEFT


def test_a_test_file_stands_in_a_room_that_the_source_has() -> None:
    unit = ROOT / "tests" / "unit"
    rooms = {path.parent.relative_to(PACKAGE) for path in MODULES}
    assert not [name(test) for test in TESTS if unit in test.parents and test.parent.relative_to(unit) not in rooms]


def test_no_test_file_takes_helpers_from_another() -> None:
    borrowed = {
        name(test)
        for test in TESTS
        for module in imports(test)
        if module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")
    }
    assert not borrowed, "move what they share into a module that is named by what it holds"
