"""The declaration of a configuration's keys: name, type, default, meaning, and whether the key changes results.

A key is declared once, as a field of a dataclass with a docstring under it. Recipes, `--set`, flags, `--help` and the
identity of a run all read that declaration through `settings_of`. A field whose type is another dataclass is a group:
its keys are written with a dot, as in `judge_server.base_url`, and may stand nested in a recipe.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Final, get_type_hints

RENAMED: Final[Mapping[str, str]] = {
    **{
        f"{who}_{key}": f"{who}_server.{key}"
        for who in ("judge", "model")
        for key in ("base_url", "key_env", "concurrency", "retries", "timeout_seconds", "budget_tokens")
    },
    "judge_limit_field": "judge_server.limit_field",
    "base_url": "judge_server.base_url",
    "key_env": "judge_server.key_env",
    "concurrency": "judge_server.concurrency",
    "retries": "judge_server.retries",
    "timeout_seconds": "judge_server.timeout_seconds",
    "give_up_after": "judge_server.give_up_after",
    "budget_tokens": "judge_server.budget_tokens",
    "limit_field": "judge_server.limit_field",
    "extra": "judge_server.extra",
    "chat_url": "rewriter_server.base_url",
    "chat_concurrency": "rewriter_server.concurrency",
    "chat_budget_tokens": "rewriter_server.budget_tokens",
    "twin_pictures": "twin_images",
    "mode": "view",
    "category": "categories",
}
"""Old spellings of keys and flags. A configuration that has the new key but not the old one refuses the old spelling
and names the new one; other configurations treat it as unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One key of a configuration."""

    key: str
    """The key's name; in a group, after the group's name and a dot."""
    kind: Any
    """The field's type."""
    default: Any
    """The default value; MISSING if the key must be given."""
    meaning: str
    """The docstring under the field, on one line."""
    group: str
    """The name of its group; empty if it is in none."""
    choices: tuple[str, ...] = ()
    """The allowed values if the type does not name them, such as a table's names."""


def option(
    default: Any = MISSING,
    *,
    default_factory: Any = MISSING,
    changes_result: bool = True,
    read_by: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field with more than a default.

    `changes_result` is False for a key that may change when a run is continued, such as a number of retries. `read_by`
    names the kinds (of a judge, say) that read the key; with any other kind it has no effect. `choices` are the allowed
    values if the type does not name them.
    """
    metadata = {"changes_result": changes_result, "read_by": read_by, "choices": choices}
    if default_factory is not MISSING:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def settings_of(cls: type) -> tuple[Setting, ...]:
    """Return all keys of the dataclass `cls`, including those of its groups, in the order of its fields."""
    return _all_settings(cls)


@cache
def _all_settings(cls: Any) -> tuple[Setting, ...]:
    return tuple(_walk(cls, ""))


def _walk(cls: type, group: str) -> Iterator[Setting]:
    kinds, meanings = get_type_hints(cls), _meanings(cls)
    for each in fields(cls):
        kind = kinds[each.name]
        if is_group(kind):
            yield from _walk(kind, f"{group}{each.name}.")
            continue
        default = each.default if each.default_factory is MISSING else each.default_factory()
        yield Setting(
            key=f"{group}{each.name}",
            kind=kind,
            default=default,
            meaning=meanings.get(each.name, ""),
            group=group.removesuffix("."),
            choices=each.metadata.get("choices", ()),
        )


def is_group(kind: Any) -> bool:
    """Return whether a field of the type `kind` is a group of keys."""
    return isinstance(kind, type) and is_dataclass(kind)


def groups_of(cls: type) -> dict[str, type]:
    """Return the groups of the dataclass `cls` by name, each with the dataclass of its keys."""
    kinds = get_type_hints(cls)
    return {each.name: kinds[each.name] for each in fields(cls) if is_group(kinds[each.name])}


@cache
def meaning_of_group(cls: type, group: str) -> str:
    """Return the docstring under the field `group` of `cls`, on one line."""
    return _meanings(cls).get(group, "")


def _meanings(cls: type) -> dict[str, str]:
    """Return the docstring under each field, including base classes; a repeated field may have a new docstring."""
    meanings: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if "__dataclass_fields__" not in vars(base):
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for node, after in zip(body.body, body.body[1:], strict=False):
            if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                meanings[node.target.id] = " ".join(str(after.value.value).split())
    return meanings


def identity_of(config: Any) -> dict[str, Any]:
    """Return the keys of `config` that identify a run: all but those that change no result."""
    identity = {}
    for each in fields(config):
        if each.metadata.get("changes_result", True):
            value = getattr(config, each.name)
            identity[each.name] = identity_of(value) if is_group(type(value)) else value
    return identity


def changed_keys(config: Any, name: str) -> list[str]:
    """Return the keys with a value other than the default in the field `name` of `config`: itself, or its group's.

    Only for fields that have a default.
    """
    (each,) = (each for each in fields(config) if each.name == name)
    default = each.default if each.default_factory is MISSING else each.default_factory()
    value = getattr(config, name)
    if value == default:
        return []
    if is_group(type(value)):
        return [f"{name}.{inner.name}" for inner in fields(value) if changed_keys(value, inner.name)]
    return [name]
