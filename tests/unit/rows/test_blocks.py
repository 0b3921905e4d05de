"""Rows by the number of their block: the same whatever block is asked for first, each read once when numbers rise."""

from pathlib import Path

import pytest
from tests.simple_rows import simple

from blindpo.rows import shards
from blindpo.rows.shards import RowBlocks, read_rows, write_shard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for number, names in enumerate(["abc", "d", "efgh"]):
        write_shard(tmp_path / f"rows-{number:05d}.parquet", [simple(name) for name in names])
    return tmp_path


def ids(rows: object) -> str:
    return "".join(row.row_id for row in rows)  # type: ignore[attr-defined]


def test_rows_are_read_from_any_place_on(data: Path) -> None:
    for start in range(10):
        assert ids(read_rows(data, start)) == "abcdefgh"[start:]


def test_a_block_is_the_same_in_any_order(data: Path) -> None:
    blocks = RowBlocks(data, 3)
    assert len(blocks) == 3
    assert [ids(blocks(number)) for number in (2, 0, 1, 1, 2)] == ["gh", "abc", "def", "def", "gh"]


def test_rising_numbers_read_every_file_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, files = shards.read_shard, []

    def counted(path: Path, start: int = 0) -> object:
        files.append(path.name)
        return read(path, start)

    monkeypatch.setattr(shards, "read_shard", counted)
    blocks = RowBlocks(data, 2)
    assert "".join(ids(blocks(number)) for number in range(4)) == "abcdefgh"
    assert len(files) == len(set(files)) == 3
