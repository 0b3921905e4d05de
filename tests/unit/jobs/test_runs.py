"""Folders know whose they are, shards survive a kill, and a wrong key or value is named."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from tests.simple_rows import simple

from blindpo.errors import ConfigError, OutputError, SourceError
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.manifest import read_json, write_json
from blindpo.jobs.recipe import load_config, parse_sets, read_recipe
from blindpo.jobs.seeds import derive_seed
from blindpo.jobs.shards import Reject, ShardResult, Totals, run_sharded
from blindpo.rows.shards import read_rows


def work(number: int) -> ShardResult:
    reject = Reject(row_id=f"bad-{number}", field="image", reason="no image", stage="test")
    return ShardResult(rows=[simple(f"{number}")] if number != 1 else [], rejects=[reject], counts={"seen": 2})


def run(out: Path, make=work) -> Totals:
    folder = OutFolder(out, {"command": "test"})
    folder.begin()
    totals = run_sharded(folder, 3, make)
    folder.finish({"kept": totals.kept})
    return totals


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "timings.json"}


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    assert run(tmp_path / "whole") == Totals(2, 3, {"seen": 6})

    def killed(number: int) -> ShardResult:
        if number == 2:
            raise KeyboardInterrupt
        return work(number)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", killed)
    (tmp_path / "killed" / ".rows-00002.parquet.partial").write_bytes(b"half")
    redone = []
    run(tmp_path / "killed", lambda number: redone.append(number) or work(number))
    assert redone == [2]
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert [row.row_id for row in read_rows(tmp_path / "whole")] == ["0", "2"]


def test_a_folder_of_another_run_or_of_nobody_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a")
    assert OutFolder(tmp_path / "a", {"command": "test"}).begin() == "done"
    with pytest.raises(OutputError, match="differs in: command"):
        OutFolder(tmp_path / "a", {"command": "other"}).begin()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="no run of blindpo wrote"):
        OutFolder(tmp_path / "b", {}).begin()
    with pytest.raises(OutputError, match="is a file"):
        OutFolder(tmp_path / "b" / "thesis.txt", {}).begin()
    with pytest.raises(OutputError, match="cannot be made"):
        OutFolder(tmp_path / "b" / "thesis.txt" / "deeper", {}).begin()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "manifest.json").write_text("[]")
    with pytest.raises(OutputError, match="differs in: everything"):
        OutFolder(tmp_path / "c", {}).begin()
    (tmp_path / "c" / "manifest.json").write_text("{half")
    with pytest.raises(OutputError, match="delete that folder and run the command again"):
        OutFolder(tmp_path / "c", {}).begin()


def test_a_refused_folder_says_which_inner_key_differs_and_how(tmp_path: Path) -> None:
    old = {"command": "blind", "config": {"max_new_tokens": 64, "seed": 42}, "data": {"rows": "a" * 64}}
    new = {
        "command": "blind",
        "config": {"max_new_tokens": 32, "seed": 42, "dtype": "auto"},
        "data": {"rows": "b" * 64},
    }
    OutFolder(tmp_path / "a", old).begin()
    with pytest.raises(OutputError) as caught:
        OutFolder(tmp_path / "a", new).begin()
    shown = str(caught.value)
    assert 'config.dtype: nothing -> "auto", config.max_new_tokens: 64 -> 32, data.rows: "aaa' in shown
    assert "seed" not in shown and "command" not in shown and "a" * 41 not in shown
    with pytest.raises(OutputError, match=", and 12 more"):
        OutFolder(tmp_path / "a", {**old, "config": {f"key{number}": 1 for number in range(18)}}).begin()


def test_a_finished_run_gives_its_manifest_back(tmp_path: Path) -> None:
    run(tmp_path / "a")
    manifest = OutFolder(tmp_path / "a", {"command": "test"}).manifest()
    assert manifest["kept"] == 2 and manifest["identity"] == {"command": "test"}
    assert not {"started", "finished"} & set(manifest)


def test_the_id_of_a_bad_row_may_hold_what_utf8_cannot(tmp_path: Path) -> None:
    bad = Reject(row_id="\ud800", field="row_id", reason="no character", stage="test")
    totals = run(tmp_path / "a", lambda number: ShardResult(rows=[], rejects=[bad]))
    lines = (tmp_path / "a" / "rejects.jsonl").read_text().splitlines()
    assert totals.rejected == len(lines) == 3
    assert json.loads(lines[0]) == {"row_id": "\ud800", "field": "row_id", "reason": "no character", "stage": "test"}


def test_json_is_written_whole_and_read_with_a_plain_error(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "\u00e9"})
    assert read_json(tmp_path / "x.json") == {"a": "\u00e9", "b": 1}
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(SourceError, match=r"not JSON.*delete .* and run that command again"):
        read_json(tmp_path / "x.json")
    with pytest.raises(SourceError, match="cannot be read"):
        read_json(tmp_path)
    with pytest.raises(SourceError, match="is missing"):
        read_json(tmp_path / "y.json")


def test_seeds_depend_on_names_alone() -> None:
    assert derive_seed(1, "a", 0) == derive_seed(1, "a", 0)
    assert len({derive_seed(s, n, d) for s in (1, 2) for n in "ab" for d in (0, 1)}) == 8


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
