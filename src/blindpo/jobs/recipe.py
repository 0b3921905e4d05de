"""Turn a recipe, flags and `--set` into one checked dataclass: unknown keys and wrong values are refused by name.

A recipe is a YAML mapping of the command's keys; flags override it, `--set` overrides both. The keys of a group are
nested (`judge_server: {retries: 2}`) or written with a dot (`judge_server.retries: 2`). YAML 1.1 reads `1e-6` as text,
so values are converted to the field's type here, once.
"""

import difflib
import math
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import yaml

from blindpo.errors import ConfigError, SourceError
from blindpo.jobs.settings import RENAMED, groups_of, is_group, settings_of
from blindpo.rows.view_names import OLD_VIEWS

T = TypeVar("T")


def read_recipe(path: Path | None) -> dict[str, Any]:
    """Read the keys of a recipe; {} without one. Raises SourceError for a bad file, ConfigError for a wrong shape."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.safe_load(text)
    except OSError as error:
        raise SourceError(f"--recipe {path} cannot be read ({error.strerror}); give a YAML file") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SourceError(f"--recipe {path} is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"--recipe {path} must be a mapping 'key: value', one key per line")
    _refuse_repeats(text, path)
    return content


def _refuse_repeats(text: str, path: Path) -> None:
    """Raise ConfigError for repeated keys: YAML silently keeps the last, so the first would have no effect."""
    node = yaml.compose(text, yaml.SafeLoader)
    names = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"--recipe {path}: '{repeated[0]}' occurs twice; keep one")


def parse_sets(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse the `key=value` arguments of --set, with values as YAML. Raises ConfigError for one without `=`."""
    values: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {argument}: write it as key=value")
        try:
            values[key.strip()] = yaml.safe_load(value) if value else ""
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"--set {argument}: the value is not YAML") from error
    return values


def meant(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Return a hint at the known name that is closest to `name`; empty if none is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown_key(key: str, allowed: Iterable[str], where: str) -> ConfigError:
    """Return the error for an unknown key: it names the closest key, then all."""
    names = sorted(allowed)
    close = difflib.get_close_matches(key, names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    listed = ", ".join(names) if len(names) <= 40 else f"{', '.join(names[:40])}, ..."
    return ConfigError(f"{where}: unknown key '{key}'.{hint} Allowed: {listed}.")


def flat_keys(cls: type, values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return `values` with the keys of groups written with a dot. Raises ConfigError for a repeated key."""
    groups = groups_of(cls)
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = {key: value}
        if key in groups and isinstance(value, Mapping):
            inner = {f"{key}.{name}": each for name, each in flat_keys(groups[key], value, where=where).items()}
        for name, each in inner.items():
            if name in flat:
                raise ConfigError(f"{where}: '{name}' occurs twice; keep one")
            flat[name] = each
    return flat


def merge_values(cls: type, *layers: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Merge mappings, with the keys of groups written with a dot; later ones override earlier ones.

    Each comes with a description of its origin. Raises ConfigError for a key that `cls` does not have.
    """
    merged: dict[str, Any] = {}
    for where, values in layers:
        flat = flat_keys(cls, values, where=where)
        _require_known(cls, flat, where)
        merged.update(flat)
    return merged


def load_config(cls: type[T], values: Mapping[str, Any], *, where: str = "configuration") -> T:
    """Make an instance of the dataclass `cls` from `values`. Raises ConfigError that names the key and its origin."""
    flat = flat_keys(cls, values, where=where)
    _require_known(cls, flat, where)
    groups = groups_of(cls)
    kinds = {setting.key: setting.kind for setting in settings_of(cls)} | groups
    typed: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        group, _, name = key.partition(".")
        holder = inner.setdefault(group, {}) if name else typed
        holder[name or key] = convert(value, kinds[key], f"{where}: {key}")
    missing = [each.key for each in settings_of(cls) if each.default is MISSING and each.key not in flat]
    if missing:
        raise ConfigError(f"{where}: '{missing[0]}' is required")
    for group, given in inner.items():
        try:
            typed[group] = groups[group](**given)
        except ConfigError as error:
            raise ConfigError(f"{where}: {group}.{error}") from error
    try:
        return cls(**typed)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _require_known(cls: type, flat: Mapping[str, Any], where: str) -> None:
    known = {setting.key for setting in settings_of(cls)}
    groups = groups_of(cls)
    for key, value in flat.items():
        if key in groups and not isinstance(value, groups[key]):
            inner = ", ".join(name for name in sorted(known) if name.startswith(f"{key}."))
            raise ConfigError(f"{where}: '{key}' is a group of keys and has no value of its own; its keys are: {inner}")
        if key not in known and key not in groups:
            if RENAMED.get(key) in known:
                raise ConfigError(f"{where}: '{key}' is now called '{RENAMED[key]}'; write that instead")
            raise unknown_key(key, known, where)


def convert(value: Any, kind: Any, where: str) -> Any:
    """Convert `value` to `kind`; numbers and booleans may be text. Raises ConfigError that says what is allowed."""
    origin = get_origin(kind)
    if origin is Literal:
        if value in get_args(kind):
            return value
        if OLD_VIEWS.get(value) in get_args(kind):
            raise ConfigError(f"{where}: '{value}' is now called '{OLD_VIEWS[value]}'; write that instead")
        raise ConfigError(f"{where} is '{value}'; allowed: {', '.join(map(str, get_args(kind)))}")
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(kind) if option is not type(None)]
        return None if value is None else _first_fit(value, options, where)
    if origin is Mapping:
        return _mapping(value, where)
    if is_group(kind):
        return value
    if origin is tuple:
        items = value if isinstance(value, list | tuple) else [word.strip() for word in str(value).split(",") if word]
        return tuple(convert(item, get_args(kind)[0], where) for item in items)
    return _scalar(value, kind, where)


def _first_fit(value: Any, options: Sequence[Any], where: str) -> Any:
    """Convert `value` to the first type of a union that accepts it; raises the last one's error if none does."""
    for option in options[:-1]:
        try:
            return convert(value, option, where)
        except ConfigError:
            continue
    return convert(value, options[-1], where)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return a mapping unchanged, or parse the YAML of a flag's argument."""
    try:
        content = yaml.safe_load(value) if isinstance(value, str) else value
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{where} is not YAML; write it as '{{KEY: VALUE, KEY: VALUE}}'") from error
    if not isinstance(content, Mapping):
        raise ConfigError(f"{where} is '{value}'; it must be a mapping, such as '{{KEY: VALUE}}'")
    return content


def _scalar(value: Any, kind: Any, where: str) -> Any:
    words = {"true": True, "yes": True, "false": False, "no": False}
    try:
        if kind is bool:
            return value if isinstance(value, bool) else words[str(value).lower()]
        if kind is int and not isinstance(value, bool) and float(value) == int(float(value)):
            return int(float(value))
        if kind is float and not isinstance(value, bool) and not math.isnan(float(value)):
            return float(value)
        if kind is str and isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
    except (ValueError, TypeError, KeyError, OverflowError):
        pass
    if kind in (bool, int, float, str):
        names = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: "text (in quotes, if YAML takes it for something else)",
        }
        raise ConfigError(f"{where} is '{value}'; it must be {names[kind]}")
    return value
