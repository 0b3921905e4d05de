"""Whatever stands in a record's place, an adapter gives a reason and no other error; shipped files are only read."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit.datasets.benchmarks.downloads import WRITERS

from blindpo.datasets.download import Download
from blindpo.datasets.table import BENCHMARKS
from blindpo.errors import RowError

GARBAGE: list[Any] = [None, 3, "x", [], {}, [1], {"x": 1}]


def spoiled(record: Any) -> list[Any]:
    """The record with garbage in its place, and with garbage in the place of each of its fields."""
    if isinstance(record, tuple):
        place = next(n for n, part in enumerate(record) if isinstance(part, dict))
        return [(*record[:place], other, *record[place + 1 :]) for other in spoiled(record[place])]
    fields = [{**record, key: other} for key in record for other in GARBAGE]
    return [*GARBAGE, *fields, *({k: v for k, v in record.items() if k != key} for key in record)]


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_spoiled_record_is_a_reason_and_never_another_error(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    benchmark = BENCHMARKS[name]
    download = Download(tmp_path, benchmark.card.fetch)
    records = benchmark.records(download)
    refused = 0
    for record in spoiled(records[-1]):
        try:
            list(benchmark.rows(record, 0, download))
        except RowError:
            refused += 1
    assert refused > len(GARBAGE) - 1
