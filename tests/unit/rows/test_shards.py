"""A folder of rows is read back as it was written, and what is no such folder is named."""

import string
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.simple_rows import simple

from blindpo.errors import SourceError
from blindpo.rows.schema import SCHEMA, to_record
from blindpo.rows.shards import count_rows, read_rows, shard_name, shard_paths, write_shard


def test_row_groups_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindpo.rows.shards.ROW_GROUP_BYTES", 300)
    rows = [simple(letter) for letter in string.ascii_lowercase[:5]]
    write_shard(tmp_path / shard_name(0), rows)
    assert pq.read_metadata(tmp_path / shard_name(0)).num_row_groups == 5
    assert list(read_rows(tmp_path)) == rows


def test_a_folder_that_holds_no_rows_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a folder"):
        shard_paths(tmp_path / "missing")
    with pytest.raises(SourceError, match=r"no rows-\*\.parquet"):
        shard_paths(tmp_path)
    (tmp_path / shard_name(0)).write_bytes(b"not parquet at all")
    with pytest.raises(SourceError, match="not a readable Parquet"):
        list(read_rows(tmp_path))


def test_a_parquet_file_without_our_columns_is_a_source_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"row_id": ["1"]}), tmp_path / shard_name(0))
    with pytest.raises(SourceError, match="lacks the columns"):
        list(read_rows(tmp_path))


def test_long_texts_count_towards_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindpo.rows.shards.ROW_GROUP_BYTES", 5000)
    write_shard(tmp_path / shard_name(0), [simple(str(number), extra="x" * 3000) for number in range(3)])
    assert pq.read_metadata(tmp_path / shard_name(0)).num_row_groups == 3


def test_an_empty_shard_has_no_rows(tmp_path: Path) -> None:
    assert write_shard(tmp_path / shard_name(0), []) == 0
    assert list(read_rows(tmp_path)) == [] and count_rows(tmp_path) == 0


def test_another_writer_s_wider_types_are_read(tmp_path: Path) -> None:
    write_shard(tmp_path / shard_name(0), [simple("1")])
    table = pq.read_table(tmp_path / shard_name(0))
    wide = table.set_column(0, "row_id", table["row_id"].cast(pa.large_string()))
    pq.write_table(wide.append_column("note", pa.array(["kept by another tool"])), tmp_path / shard_name(0))
    assert list(read_rows(tmp_path)) == [simple("1")]


def test_columns_of_a_wrong_type_or_null_are_a_source_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({name: [1] for name in SCHEMA.names}), tmp_path / shard_name(0))
    with pytest.raises(SourceError, match="not a readable Parquet file of rows"):
        list(read_rows(tmp_path))
    record = {**to_record(simple("r9")), "prompt": None}
    pq.write_table(pa.Table.from_pylist([record], schema=SCHEMA), tmp_path / shard_name(0))
    with pytest.raises(SourceError, match="row 'r9' is null"):
        list(read_rows(tmp_path))


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_cut_file_is_a_source_error(tmp_path: Path, place: float) -> None:
    path = tmp_path / shard_name(0)
    write_shard(path, [simple("1")])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * place)])
    for read in (count_rows, lambda folder: list(read_rows(folder))):
        with pytest.raises(SourceError, match=r"rows-00000\.parquet is not a readable"):
            read(tmp_path)


def test_an_unfinished_folder_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    write_shard(tmp_path / shard_name(0), [simple("1")])
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work" / "run.json").write_text("{}")
    with pytest.raises(SourceError, match="run that command again"):
        shard_paths(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    assert len(shard_paths(tmp_path)) == 1
