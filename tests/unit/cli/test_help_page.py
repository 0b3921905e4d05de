"""docs/commands.md is what the commands say of themselves; every flag is frozen by it."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_the_page_of_commands_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    spec = importlib.util.spec_from_file_location("make_help", DOCS / "make_help.py")
    assert spec and spec.loader
    make_help = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_help)
    assert (DOCS / "commands.md").read_text() == make_help.page(), "run 'make docs'"
