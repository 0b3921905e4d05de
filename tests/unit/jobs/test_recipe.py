"""A wrong key or value of a recipe is named."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from blindpo.errors import ConfigError, SourceError
from blindpo.jobs.recipe import load_config, parse_sets, read_recipe


@dataclass(kw_only=True)
class Sample:
    rate: float
    steps: int = 3
    mode: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    limit: int | None = None
    loud: bool = False
    report: str | list[str] | None = None
    place: int | str = 0
    title: str = ""

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError("rate must not be negative")


def test_values_take_the_field_s_type() -> None:
    found = load_config(Sample, {"rate": "1e-6", "steps": "4", "names": "x,y", "limit": "7", "loud": "yes"})
    assert found == Sample(rate=1e-6, steps=4, names=("x", "y"), limit=7, loud=True)
    assert load_config(Sample, {"rate": 1, "limit": None, "names": ["z"]}).names == ("z",)
    assert load_config(Sample, {"rate": 1, "mode": "b", "names": ""}).names == ()
    assert load_config(Sample, {"rate": 1, "names": "x, y"}).names == ("x", "y")


def test_a_union_takes_the_first_type_that_fits() -> None:
    found = load_config(Sample, {"rate": 1, "report": ["a", "b"], "place": "end", "title": 7})
    assert (found.report, found.place, found.title) == (["a", "b"], "end", "7")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rat": 1}, "unknown key 'rat'. Did you mean 'rate'"),
        ({}, "'rate' is required"),
        ({"rate": "fast"}, "it must be a number"),
        ({"rate": "nan"}, "it must be a number"),
        ({"rate": 1, "title": False}, "in quotes"),
        ({"rate": 1, "title": ["a"]}, "it must be text"),
        ({"rate": 1, "place": {"a": 1}}, "it must be text"),
        ({"rate": 1, "steps": 1.5}, "it must be a whole number"),
        ({"rate": 1, "loud": "maybe"}, "it must be true or false"),
        ({"rate": 1, "mode": "c"}, "allowed: a, b"),
        ({"rate": -1}, "must not be negative"),
    ],
)
def test_a_wrong_key_or_value_is_named(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(Sample, values, where="recipe.yaml")


def test_recipes_and_sets(tmp_path: Path) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("rate: 1e-6\n")
    assert read_recipe(recipe) == {"rate": "1e-6"} and read_recipe(None) == {}
    assert parse_sets(["a=1", "b=[x, y]", "c="]) == {"a": 1, "b": ["x", "y"], "c": ""}
    for text, error in (
        ("- a\n", ConfigError),
        ("a: [", SourceError),
        ("", None),
        ("a: 1\na: 2\n", ConfigError),
        ("a: 2020-99-99\n", SourceError),
    ):
        recipe.write_text(text)
        if error is None:
            assert read_recipe(recipe) == {}
        else:
            with pytest.raises(error, match=r"r\.yaml"):
                read_recipe(recipe)
    with pytest.raises(SourceError, match="cannot be read"):
        read_recipe(tmp_path / "missing.yaml")
    for word in ("novalue", "a=[", "=1", "a=2020-99-99"):
        with pytest.raises(ConfigError, match="--set"):
            parse_sets([word])
