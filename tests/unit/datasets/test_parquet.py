"""Parquet is read a row group at a time, and a file that breaks meanwhile is named."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blindpo.datasets.download import Download
from blindpo.datasets.formats.trl import Trl
from blindpo.datasets.importer import import_data
from blindpo.datasets.parquet import ParquetRecords
from blindpo.errors import SourceError
from blindpo.rows.shards import read_rows


def test_parquet_is_read_one_row_group_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{"prompt": f"q{n}", "chosen": "A", "rejected": "B", "images": []} for n in range(10)]
    for part, rows in enumerate((records[:7], records[7:])):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"part-{part}.parquet", row_group_size=3)
    parquet = Trl().records(Download.of_user(tmp_path))
    assert isinstance(parquet, ParquetRecords)
    assert (len(parquet), list(parquet), parquet[2:5]) == (10, records, records[2:5])
    with pytest.raises(IndexError):
        parquet[10]
    summary = import_data("trl", tmp_path, tmp_path / "data")
    assert summary.kept == 10
    assert [row.prompt[0].text for row in read_rows(tmp_path / "data")] == [f"q{n}" for n in range(10)]
    assert len({row.provenance.dialogue_id for row in read_rows(tmp_path / "data")}) == 10


def test_a_file_that_breaks_while_it_is_read_is_a_source_error(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.Table.from_pylist([{"prompt": "q" * 5000 + str(n), "chosen": "A", "rejected": "B"} for n in range(4)])
    pq.write_table(table, path, compression="none", use_dictionary=False)
    parquet = ParquetRecords([path], on_error="download it again")
    path.write_bytes(b"no more")
    with pytest.raises(SourceError, match=r"rows\.parquet is not readable"):
        parquet[0]
