"""The comparison itself: what is the same, what a table explains, what it does not, and tables that rot."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.golden.compare import Allowed, Comparison, Outcome, Renamed

WHY = "because"


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    folders = tmp_path / "base", tmp_path / "head"
    for folder in folders:
        folder.mkdir()
    return folders


def put(sides: tuple[Path, Path], name: str, old: object, new: object) -> None:
    for folder, content in zip(sides, (old, new), strict=True):
        if content is not None:
            (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def only(sides: tuple[Path, Path], *allowed: Allowed) -> Outcome:
    (outcome,) = Comparison(allowed).folders(*sides)
    return outcome


def test_the_same_bytes_are_the_same(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", {"x": 1}, {"x": 1})
    assert only(sides) == Outcome("a.json", "same")


def test_a_value_that_differs_is_named(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", {"x": {"y": [1, 2]}}, {"x": {"y": [1, 3]}})
    assert only(sides) == Outcome("a.json", "DIFFERENT", "x.y.1: 2 -> 3")


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), ("1", 1), (None, {}), ([], {})])
def test_values_of_another_type_differ(sides: tuple[Path, Path], old: object, new: object) -> None:
    put(sides, "a.json", {"x": old}, {"x": new})
    assert only(sides).state == "DIFFERENT"


def test_the_same_values_in_other_bytes_are_different(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", '{"x": 1}', '{"x":1}')
    assert only(sides, Allowed(reason=WHY, files="a.json", keys=("x",))).state == "DIFFERENT"


def test_an_allowed_key_hides_no_other(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", {"x": 1, "y": 1}, {"x": 2, "y": 2})
    x = Allowed(reason=WHY, files="*.json", keys=("x",))
    assert only(sides, x) == Outcome("a.json", "DIFFERENT", "y: 1 -> 2")
    y = Allowed(reason="also", files="*.json", keys=("y",))
    assert only(sides, x, y) == Outcome("a.json", "excepted", "because; also")


def test_a_key_that_is_new_can_be_allowed(sides: tuple[Path, Path]) -> None:
    put(sides, "a.jsonl", '{"x": 1}\n', '{"x": 1, "new": 3}\n')
    assert only(sides) == Outcome("a.jsonl", "DIFFERENT", "0.new: (not there) -> 3")
    assert only(sides, Allowed(reason=WHY, files="*", keys=("*.new",))).state == "excepted"


def test_a_value_may_become_only_what_is_said(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", {"view": "mid"}, {"view": "deictic"})
    assert only(sides, Allowed(reason=WHY, files="*", keys=("view",), becomes={"mid": "deictic"})).state == "excepted"
    assert only(sides, Allowed(reason=WHY, files="*", keys=("view",), becomes={"mid": "middle"})).state == "DIFFERENT"


def test_parquet_is_compared_value_by_value(sides: tuple[Path, Path]) -> None:
    for folder, mode in zip(sides, ("remove", "removed"), strict=True):
        pq.write_table(pa.table({"id": ["r"], "mode": [mode]}), folder / "a.parquet")
    assert only(sides) == Outcome("a.parquet", "DIFFERENT", "rows.0.mode: 'remove' -> 'removed'")
    assert only(sides, Allowed(reason=WHY, files="*", keys=("rows.*.mode",))).state == "excepted"


def test_of_text_only_the_named_words_are_cut_out(sides: tuple[Path, Path]) -> None:
    put(sides, "a.md", "at 10:00\nx is 1\n", "at 11:00\nx is 1\n")
    at = Allowed(reason=WHY, files="*.md", words=r"\d\d:\d\d")
    assert only(sides, at).state == "excepted"
    put(sides, "a.md", "at 10:00\nx is 1\n", "at 11:00\nx is 2\n")
    assert only(sides, at) == Outcome("a.md", "DIFFERENT", "line 2: x is 1 -> x is 2")


def test_a_file_of_one_side_is_different(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", None, {})
    assert only(sides).state == "DIFFERENT"
    assert only(sides, Allowed(reason=WHY, files="a.json")).state == "DIFFERENT"
    assert only(sides, Allowed(reason=WHY, files="a.json", only="base")).state == "DIFFERENT"
    assert only(sides, Allowed(reason=WHY, files="a.json", only="head")).state == "excepted"


def test_a_renamed_file_is_compared_with_its_old_self(sides: tuple[Path, Path]) -> None:
    put(sides, "old.json", {"x": 1}, None)
    put(sides, "new.json", None, {"x": 1})
    rename = Renamed(reason=WHY, old=r"^old\.", new="new.")
    assert Comparison((), [rename]).folders(*sides) == [Outcome("old.json", "same")]
    assert len(Comparison(()).folders(*sides)) == 2


def test_what_explains_nothing_is_named(sides: tuple[Path, Path]) -> None:
    put(sides, "a.json", {"x": 1}, {"x": 2})
    used = Allowed(reason="used", files="a.json", keys=("x",))
    idle = [Allowed(reason="idle", files="a.json", keys=("y",)), Allowed(reason="later", files="a.json")]
    comparison = Comparison([used, *idle[:1]], [Renamed(reason="gone", old="^b", new="c")])
    comparison.folders(*sides)
    assert comparison.unused() == ["idle (a.json y)", "gone (^b)"]
    assert Comparison(idle).folders(*sides)[0].why == "later"
    assert Comparison([Allowed(reason="chance", files="a.json", is_chance=True)]).unused() == []
