"""Every `>>>` in a docstring or a page of the docs gives what stands below it."""

import doctest
import importlib
from pathlib import Path

import pytest

from tests.house.source import MODULES, ROOT, dotted, name

WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text()]
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if "\n>>> " in page.read_text()]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name)
def test_the_examples_of_a_module_are_true(path: Path) -> None:
    if path.parent.name == "inspect":
        pytest.importorskip("inspect_ai")
    outcome = doctest.testmod(importlib.import_module(dotted(path)))
    assert outcome.attempted, "the examples are not found"
    assert not outcome.failed, "see the captured output"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_examples_of_a_page_are_true(page: Path) -> None:
    outcome = doctest.testfile(str(page), module_relative=False)
    assert outcome.attempted and not outcome.failed, "see the captured output"


def test_the_examples_are_many() -> None:
    assert len(WITH_EXAMPLES) >= 20 and PAGES
