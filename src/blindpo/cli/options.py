"""The vocabulary of every command: --out, --recipe, --set, --json, --strict, and the flags of its configuration.

A command with a configuration declares no flag of its own for it. `add_config` makes one from each key of the
dataclass (name, type, default and the docstring under the field), and `read_config` joins recipe, flags and `--set`.
A flag's value is checked where a recipe's is, by `jobs/recipe.py`, so both are refused in the same words.
"""

import argparse
import json
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin

from blindpo.errors import ConfigError, StrictError
from blindpo.jobs.recipe import load_config, merge_values, parse_sets, read_recipe
from blindpo.jobs.settings import Setting, groups_of, meaning_of_group, settings_of

T = TypeVar("T")
KEYS_TITLE: Final = "keys"
KEYS_WORDS: Final = "They may stand in --recipe and --set as well. In a flag, dashes may take the place of underscores."
SCALARS: Final = {int: "N", float: "X", str: "TEXT"}
NULL: Final = "null"
"""The word of a flag for no value, as in YAML."""


def add_common(parser: argparse.ArgumentParser, *, out: bool = True, recipe: bool = True, strict: bool = False) -> None:
    """Add the options that mean the same in every command; each command says which of them it has."""
    if out:
        parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="where the result goes")
    if recipe:
        parser.add_argument("--recipe", type=Path, metavar="FILE.yaml", help="a YAML file of this command's keys")
        parser.add_argument(
            "--set", action="append", default=[], metavar="KEY=VALUE", help="give one key (repeat for more)"
        )
    if strict:
        parser.add_argument("--strict", action="store_true", help="exit with status 1 when any row is rejected")
    parser.add_argument("--json", action="store_true", help="print JSON, and nothing else, on standard output")


def add_engine(parser: argparse.ArgumentParser, *, workers: int | None, what: str) -> None:
    """Add --engine and --workers: who makes the shards. `what` each worker holds is said in the help."""
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="where shards are made (default: local)"
    )
    shown = "usable cores" if workers is None else workers
    parser.add_argument(
        "--workers", type=int, default=workers, metavar="N", help=f"processes, or Ray actors{what} (default: {shown})"
    )


def add_answerer(parser: argparse.ArgumentParser) -> None:
    """Add who answers (--model or --responses), and how the work is spread."""
    parser.add_argument("--model", metavar="MODEL", help="a folder, ID@REVISION, a RUN folder, or chat:NAME")
    parser.add_argument(
        "--responses", type=Path, metavar="FILE", help="JSON lines with row_id and text, instead of a model"
    )
    parser.add_argument("--part", metavar="NUMBER/OF", help="answer this share of the rows alone, for 'blindpo merge'")
    add_engine(parser, workers=1, what=", each with a local model")


def require_answerer(args: argparse.Namespace) -> None:
    """Raise ConfigError for words of `add_answerer` that do not go together; paths are looked at later."""
    if (args.model is None) == (args.responses is None):
        raise ConfigError("give either --model (a folder, ID@REVISION, a RUN folder, chat:NAME) or --responses FILE")
    if args.responses is not None and args.part is not None:
        raise ConfigError("--part has no effect with --responses, which asks no model; leave one of the two out")
    spread = args.engine != "local" or args.workers != 1
    if spread and (args.responses is not None or args.model.startswith("chat:")):
        raise ConfigError("--engine and --workers are for a local --model; leave them out")


def add_config(parser: argparse.ArgumentParser, cls: type, *, required: str = "required") -> None:
    """Add a flag for every key of the dataclass `cls`, in both spellings: with underscores and with dashes.

    `required` is the word in the help of a key without a default.
    """
    own: Any = parser.add_argument_group(KEYS_TITLE, KEYS_WORDS)
    groups = {
        name: parser.add_argument_group(f"keys of {name}", meaning_of_group(cls, name)) for name in groups_of(cls)
    }
    for setting in sorted(settings_of(cls), key=lambda each: each.default is not MISSING):  # what must be given first
        kind = Literal[setting.choices] if setting.choices else setting.kind
        add_key(groups[setting.group] if setting.group else own, setting.key, kind=kind, text=_help(setting, required))


def add_key(target: Any, key: str, *, kind: Any, text: str) -> None:
    """Add the flag of one key. Its value stays a word here; what it must be is checked with the recipe's."""
    spellings = dict.fromkeys([f"--{key}", f"--{key.replace('_', '-')}"])
    shape: dict[str, Any] = {"nargs": "?", "const": "true"} if kind is bool else {}
    target.add_argument(*spellings, dest=key, metavar=_metavar(kind), help=text, default=None, **shape)


def _metavar(kind: Any) -> str:
    origin = get_origin(kind)
    if kind is bool:
        return "true|false"
    if origin is Literal:
        return "{" + ",".join(map(str, get_args(kind))) + "}"
    if origin is tuple:
        return "A,B,..."
    if origin is Mapping:
        return "YAML"
    if origin in (Union, types.UnionType):
        return _metavar(next(each for each in get_args(kind) if each is not type(None)))
    return SCALARS.get(kind, "VALUE")


def _help(setting: Setting, required: str) -> str:
    """The key's meaning and its default; argparse takes a percent sign for a format of its own."""
    default = f"({required})" if setting.default is MISSING else default_words(setting.default)
    return f"{setting.meaning} {default}".replace("%", "%%")


def default_words(default: Any) -> str:
    """A default as --help shows it.

    >>> default_words(("a", "b")), default_words(True), default_words(None), default_words(MISSING)
    ('(default: a,b)', '(default: true)', '(default: none)', '(required)')
    """
    if default is MISSING:
        return "(required)"
    if isinstance(default, bool):
        return f"(default: {str(default).lower()})"
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f"(default: {'none' if default is None or default in ('', {}) else default})"


def read_config(cls: type[T], args: argparse.Namespace, *, where: str, preset: Mapping[str, Any] | None = None) -> T:
    """The configuration that the command line asks for: preset < recipe < flags < --set. Raises ConfigError."""
    layers = [
        ("preset", preset or {}),
        (f"--recipe {args.recipe}", read_recipe(args.recipe)),
        ("flags", flags_of(cls, args)),
        ("--set", parse_sets(args.set)),
    ]
    return load_config(cls, merge_values(cls, *layers), where=where)


def flags_of(cls: type, args: argparse.Namespace) -> dict[str, Any]:
    """The keys of `cls` that were given as flags; the word null is no value, as in a recipe."""
    return given_flags([setting.key for setting in settings_of(cls)], args)


def given_flags(keys: Iterable[str], args: argparse.Namespace) -> dict[str, Any]:
    """Those of `keys` that were given as flags."""
    given = {key: getattr(args, key) for key in keys}
    return {key: None if value == NULL else value for key, value in given.items() if value is not None}


def refuse_rejects(args: argparse.Namespace, rejected: int, what: str = "rows") -> None:
    """Raise StrictError under --strict if anything was rejected."""
    if args.strict and rejected:
        raise StrictError(f"{rejected} {what} were rejected; {args.out / 'rejects.jsonl'} says why")


def emit(result: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print one result: `text` for a person, or `result` as JSON alone on standard output."""
    sys.stdout.write((json.dumps(result, indent=2, ensure_ascii=False) if as_json else text) + "\n")
