"""docs/commands.md is what the commands say of themselves; every flag is frozen by it."""

import importlib
import importlib.util
import pkgutil
from pathlib import Path

import pytest

from blindpo import cli
from blindpo.cli.main import COMMANDS, main

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_commands_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    spec = importlib.util.spec_from_file_location("make_help", DOCS / "make_help.py")
    assert spec and spec.loader
    make_help = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_help)
    assert (DOCS / "commands.md").read_text() == make_help.page(), "run 'make docs'"


def test_every_module_that_is_a_command_is_in_the_table() -> None:
    modules = {module.name for module in pkgutil.iter_modules(cli.__path__)}
    commands = {name for name in modules if hasattr(importlib.import_module(f"blindpo.cli.{name}"), "add_arguments")}
    assert commands == {command.module for command in COMMANDS.values()}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_is_for_and_refuses_an_unknown_word(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    assert f"blindpo {name}" in capsys.readouterr().out
    assert main([name, "--no-such-flag-of-any-command"]) == 2
    assert "Traceback" not in capsys.readouterr().err
