"""Sources in shards: any size gives the same dialogues in the same places; a row without a dialogue says so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sample import draw, write_sample
from tests.unit.building.drafts import row_of, turns_of
from tests.unit.building.worlds import dialogue, write_lines

from blindpo.building.read import find_reader
from blindpo.cli.main import main
from blindpo.errors import SourceError
from blindpo.rows.row import IMAGE, ImageRef, Turn
from blindpo.rows.shards import read_shard, shard_name, write_shard


@pytest.mark.parametrize("size", [1, 3, 100])
def test_lines_in_shards_of_any_size(tmp_path: Path, size: int) -> None:
    write_lines(tmp_path / "hh" / "test.jsonl", [dialogue(f"test {n}") for n in range(4)])
    write_lines(tmp_path / "hh" / "train.jsonl", [dialogue("train 0"), "{", "", dialogue("train 2")])
    reader = find_reader(tmp_path / "hh")
    shards = reader.split(tmp_path, size)
    assert reader.split(tmp_path, size) == shards == -(-7 // size)
    reads = [reader.shard(number) for number in range(shards)]
    rows = [(n * size + place, row) for n, read in enumerate(reads) for place, row in read.rows]
    assert [(place, row.prompt[0].text) for place, row in rows] == [
        (0, "test 0"), (1, "test 1"), (2, "test 2"), (3, "test 3"), (4, "train 0"), (6, "train 2"),
    ]  # fmt: skip
    assert [reject.row_id for read in reads for reject in read.rejects] == ["hh-rlhf-train-2"]
    assert sum(read.size for read in reads) == 7


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_folder_gives_the_text_of_its_rows(tmp_path: Path, size: int) -> None:
    image = ImageRef(data=draw("a"))
    shown = (Turn(role="user", content=(IMAGE, "what?")),)
    with_twin = replace(row_of("x", row_id="b"), prompt=shown, images=(image,), text_prompt=turns_of("the twin"))
    without = replace(row_of("x", row_id="c"), prompt=shown, images=(image,))
    folder = tmp_path / "data"
    folder.mkdir()
    write_shard(folder / shard_name(0), [row_of("plain", row_id="a"), with_twin, without])
    write_shard(folder / shard_name(1), [row_of("no pair", row_id="d", rejected=None), row_of("last", row_id="e")])
    reader = find_reader(folder)
    reads = [reader.shard(number) for number in range(reader.split(tmp_path, size))]
    rows = [row for read in reads for _, row in read.rows]
    assert [(row.row_id, row.prompt[0].text, row.images) for row in rows] == [
        ("a", "plain", ()), ("b", "the twin", ()), ("e", "last", ()),
    ]  # fmt: skip
    assert [(r.row_id, r.field) for read in reads for r in read.rejects] == [("c", "images"), ("d", "rejected")]


def test_a_part_of_a_shard(tmp_path: Path) -> None:
    rows = [row_of(f"row {n}", row_id=str(n)) for n in range(150)]
    write_shard(tmp_path / "a.parquet", rows)
    for start, stop in ((0, None), (0, 0), (3, 70), (64, 128), (149, 150), (150, None)):
        assert list(read_shard(tmp_path / "a.parquet", start, stop)) == rows[start:stop]


def test_a_folder_reader_passes_over_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindpo.rows.shards.ROW_GROUP_BYTES", 2000)
    rows = [row_of(f"row {n} " + "x" * 300, row_id=str(n)) for n in range(40)]
    write_shard(tmp_path / "a.parquet", rows)
    for start, stop in ((0, 7), (5, 23), (39, 40), (17, None)):
        assert list(read_shard(tmp_path / "a.parquet", start, stop)) == rows[start:stop]


def test_the_released_layout_is_a_source_by_its_textual_twins(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "sample")
    words = ["import", "mmsafe-po", str(sample / "test.json"), "--images", str(sample / "images")]
    assert main([*words, "--out", str(tmp_path / "rows")]) == 0
    reader = find_reader(tmp_path / "rows")
    read = [reader.shard(number) for number in range(reader.split(tmp_path, 5))]
    expected = [record["text_prompt"] for record in json.loads((sample / "test.json").read_text())]
    texts = [row.prompt[-1].text for part in read for _, row in part.rows]
    assert len(texts) == 12 and all(text in whole for text, whole in zip(texts, expected, strict=True))


@pytest.mark.parametrize("name", ["none.jsonl", "rows.csv", "empty"])
def test_what_is_no_source(tmp_path: Path, name: str) -> None:
    (tmp_path / "rows.csv").write_text("a,b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError):
        find_reader(tmp_path / name)
