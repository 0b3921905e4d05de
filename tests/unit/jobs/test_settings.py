"""What a configuration says of its keys, and how a recipe, flags and --set become one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from blindpo.errors import ConfigError
from blindpo.jobs.recipe import load_config, merge_values, parse_sets, read_recipe
from blindpo.jobs.settings import changed_keys, identity_of, option, settings_of


@dataclass(frozen=True, kw_only=True)
class Server:
    """A group."""

    url: str = "none"
    """Where it is."""
    tries: int = option(3, changes_result=False)
    """How often it is asked,
    at most."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """More."""

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ConfigError(f"tries is {self.tries}; allowed: 1 or more")


@dataclass(frozen=True, kw_only=True)
class Base:
    """Has a field of its own."""

    rate: float = 0.5
    """A share."""


@dataclass(frozen=True, kw_only=True)
class Sample(Base):
    """All kinds of fields."""

    name: str
    """Who."""
    judge_server: Server = option(default_factory=Server)
    """The judge's server."""
    view: str = "as_is"
    """What is shown."""
    speed: int = option(1, changes_result=False)
    """How fast."""


def test_every_key_is_described_once_with_its_docstring_and_default() -> None:
    described = {each.key: (each.meaning, each.default) for each in settings_of(Sample) if each.key != "name"}
    assert described == {
        "rate": ("A share.", 0.5),
        "judge_server.url": ("Where it is.", "none"),
        "judge_server.tries": ("How often it is asked, at most.", 3),
        "judge_server.extra": ("More.", {}),
        "view": ("What is shown.", "as_is"),
        "speed": ("How fast.", 1),
    }
    assert {each.group for each in settings_of(Sample)} == {"", "judge_server"}


def test_the_identity_leaves_out_what_changes_no_result_in_groups_too() -> None:
    config = Sample(name="a", speed=9, judge_server=Server(url="x", tries=9))
    assert identity_of(config) == {
        "rate": 0.5, "name": "a", "judge_server": {"url": "x", "extra": {}}, "view": "as_is",
    }  # fmt: skip
    assert changed_keys(config, "judge_server") == ["judge_server.url", "judge_server.tries"]
    assert changed_keys(config, "speed") == ["speed"] and changed_keys(config, "view") == []


@pytest.mark.parametrize(
    "text", ["judge_server: {url: x, tries: 2}", "judge_server.url: x\njudge_server.tries: '2'"], ids=["nested", "dots"]
)
def test_a_group_stands_nested_or_with_dots_and_later_layers_win(text: str, tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"name: a\nrate: 0.1\n{text}\n")
    values = read_recipe(recipe)
    assert load_config(Sample, values).judge_server == Server(url="x", tries=2)
    merged = merge_values(
        Sample,
        ("recipe", values),
        ("flags", {"judge_server.url": "flag", "rate": "0.2"}),
        ("--set", parse_sets(["judge_server.url=set", "judge_server.extra={top_k: 5}"])),
    )
    config = load_config(Sample, merged)
    assert (config.rate, config.judge_server) == (0.2, Server(url="set", tries=2, extra={"top_k": 5}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"judge_server": {"urll": "x"}}, r"unknown key 'judge_server\.urll'\. Did you mean 'judge_server\.url'"),
        ({"judge_server.tris": 1}, r"Did you mean 'judge_server\.tries'"),
        ({"judge_server": "http://x"}, r"is a group of keys .* judge_server\.extra, judge_server\.tries"),
        ({"judge_server": None}, "is a group of keys"),
        ({"judge_server": {"url": "x"}, "judge_server.url": "y"}, r"'judge_server\.url' occurs twice"),
        ({"judge_server.tries": 0}, r"run: judge_server\.tries is 0; allowed: 1 or more"),
        ({"judge_server": {"tries": "many"}}, r"run: judge_server\.tries is 'many'; it must be a whole number"),
        ({"judge_server.extra": "5"}, "must be a mapping"),
        ({"judge_server.extra": "{"}, "is not YAML"),
        ({"mode": "swap"}, "'mode' is now called 'view'"),
    ],
)
def test_a_key_that_cannot_be_is_named_with_what_is_meant(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(Sample, {"name": "a", **values}, where="run")


def test_what_must_be_given_is_asked_for_and_an_instance_is_taken_as_it_is() -> None:
    with pytest.raises(ConfigError, match="'name' is required"):
        load_config(Sample, {})
    reached = Server(url="x")
    assert load_config(Sample, {"name": "a", "judge_server": reached}).judge_server is reached
