"""The one vocabulary of every command: positional input, --out, --recipe, --set, --json, --strict."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path


def add_common(parser: argparse.ArgumentParser, *, out: bool = True, recipe: bool = True, strict: bool = False) -> None:
    """Add the options that mean the same in every command; each command says which of them it has."""
    if out:
        parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="where the result goes")
    if recipe:
        parser.add_argument("--recipe", type=Path, metavar="FILE.yaml", help="a flat YAML file of this command's keys")
        parser.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="override one key (repeat for more)"
        )
    if strict:
        parser.add_argument("--strict", action="store_true", help="exit with 1 when any row is rejected")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")


def emit(result: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print one result: `text` for a person, or `result` as JSON alone on standard output."""
    sys.stdout.write((json.dumps(result, indent=2, ensure_ascii=False) if as_json else text) + "\n")
