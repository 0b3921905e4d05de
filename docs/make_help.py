"""Write docs/commands.md from the commands' own --help. A test fails when the page is out of date."""

import importlib
import os
from pathlib import Path

from blindpo.cli.main import COMMANDS, help_text, make_parser

PAGE = Path(__file__).with_name("commands.md")


def command_help(name: str) -> str:
    """The help text of one command at a fixed width."""
    return make_parser(name, importlib.import_module(f"blindpo.cli.{COMMANDS[name].module}")).format_help()


def page() -> str:
    """The whole page."""
    os.environ["COLUMNS"] = "110"
    parts = ["# Commands", "", "Written by `make docs`; do not edit.", "", "```text", help_text(), "```"]
    for name in COMMANDS:
        parts += ["", f"## blindpo {name}", "", "```text", command_help(name).rstrip(), "```"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
