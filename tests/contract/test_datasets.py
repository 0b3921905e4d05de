"""What every source owes, a format or a benchmark: one contract, run on a tiny invented example of each."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.folder_bytes import contents
from tests.sources import FORMAT_WRITERS, write_source
from tests.unit.datasets.benchmarks.downloads import WRITERS

from blindpo.cli.main import main
from blindpo.datasets import importer
from blindpo.datasets.formats.base import Format
from blindpo.datasets.formats.jsonl import Line
from blindpo.datasets.importer import ImportSummary, import_data
from blindpo.datasets.table import BENCHMARKS, FORMATS, ROW_SOURCES
from blindpo.errors import SourceError
from blindpo.rows.checks import violations
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows

NAMES = sorted(ROW_SOURCES)


def imported(name: str, folder: Path, out: Path) -> tuple[ImportSummary, list[PreferenceRow]]:
    """Write the example once, import it."""
    path, images = write_source(name, folder) if not folder.exists() else where(name, folder)
    summary = import_data(name, path, out, images=images)
    return summary, list(read_rows(out))


def where(name: str, folder: Path) -> tuple[Path, Path | None]:
    """What `write_source` returned for a folder that it wrote before."""
    if name in BENCHMARKS:
        return folder, None
    path = next(folder / part for part in ("test.json", "rows.json", "parts", "texts") if (folder / part).exists())
    return path, folder / "images" if (folder / "images").is_dir() else None


def changed(record: Any, **fields: Any) -> Any:
    """The record with other fields; with `emptied`, with nothing but them."""
    if isinstance(record, tuple):
        place = next(n for n, part in enumerate(record) if isinstance(part, dict))
        return (*record[:place], changed(record[place], **fields), *record[place + 1 :])
    if isinstance(record, Line):
        return replace(record, data=json.dumps(changed(json.loads(record.data or b""), **fields)).encode())
    return {**({} if "emptied" in fields else record), **{k: v for k, v in fields.items() if k != "emptied"}}


def patch_records(monkeypatch: pytest.MonkeyPatch, name: str, change: Any) -> None:
    """Let the source give `change(records)` in place of its records."""
    source = ROW_SOURCES[name]
    read = source.records
    monkeypatch.setattr(source, "records", lambda download: change(list(read(download))))


def test_names_are_unique_and_every_source_has_an_example() -> None:
    assert len(ROW_SOURCES) == len(FORMATS) + len(BENCHMARKS)
    assert set(FORMAT_WRITERS) == set(FORMATS) and set(WRITERS) == set(BENCHMARKS)
    for name, source in ROW_SOURCES.items():
        assert source.name == name
        assert (source.card is None) == (name in FORMATS)
        assert source.card is None or source.card.name == name
    assert all(isinstance(FORMATS[name], Format) for name in FORMATS)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_sound_and_their_ids_unique(name: str, tmp_path: Path) -> None:
    summary, rows = imported(name, tmp_path / "source", tmp_path / "data")
    assert len(rows) == summary.kept > 0 and summary.rejected == 0
    assert [row_id for row_id, count in Counter(row.row_id for row in rows).items() if count > 1] == []
    for row in rows:
        assert not violations(row, pair=name in FORMATS)
    assert (summary.release is None) == (name in FORMATS)
    assert imported(name, tmp_path / "source", tmp_path / "data")[0] == summary


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_record_costs_no_good_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, rows = imported(name, tmp_path / "source", tmp_path / "whole")
    spoilt: list[Any] = []

    def change(records: list[Any]) -> list[Any]:
        spoilt.extend(changed(record, emptied=True) for record in records)
        return [*records, *spoilt]  # at the end: ids may be numbers

    patch_records(monkeypatch, name, change)
    summary, kept = imported(name, tmp_path / "source", tmp_path / "data")
    assert kept == rows and summary.rejected == len(spoilt) > 0
    rejects = [json.loads(line) for line in (tmp_path / "data/rejects.jsonl").read_text().splitlines()]
    assert len(rejects) == len(spoilt)
    assert all(reject["reason"] and reject["field"] and reject["stage"] == "import" for reject in rejects)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_that_stands_there_twice_gives_no_row_of_the_same_id(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, rows = imported(name, tmp_path / "source", tmp_path / "whole")
    monkeypatch.setattr(importer, "SHARD_RECORDS", 2)  # the second one in another shard
    patch_records(monkeypatch, name, lambda records: [*records, *records])
    summary, kept = imported(name, tmp_path / "source", tmp_path / "data")
    assert kept[: len(rows)] == rows
    assert len({row.row_id for row in kept}) == len(kept)
    reasons = (tmp_path / "data/rejects.jsonl").read_text()
    assert (summary.rejected > 0) == ("ids must differ" in reasons) == (len(kept) == len(rows))


@pytest.mark.parametrize("name", NAMES)
def test_an_import_that_was_stopped_ends_with_the_same_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importer, "SHARD_RECORDS", 1)
    imported(name, tmp_path / "source", tmp_path / "whole")
    (tmp_path / "source/blindpo-checksums.json").unlink(missing_ok=True)
    make = importer._Importer.__call__
    shards: list[int] = []

    def stopping(self: Any, shard: int) -> Any:
        shards.append(shard)
        if shard == (len(self.records) - 1):
            raise KeyboardInterrupt
        return make(self, shard)

    monkeypatch.setattr(importer._Importer, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        imported(name, tmp_path / "source", tmp_path / "stopped")
    assert not (tmp_path / "stopped/manifest.json").exists()
    again: list[int] = []

    def counting(self: Any, shard: int) -> Any:
        again.append(shard)
        return make(self, shard)

    monkeypatch.setattr(importer._Importer, "__call__", counting)
    imported(name, tmp_path / "source", tmp_path / "stopped")
    assert again == shards[-1:], "a shard that was done is not made again"
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.parametrize("name", NAMES)
def test_each_image_is_decoded_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, decoded = importer.decode_image, []

    def counting(data: bytes) -> Any:
        decoded.append(data)
        return decode(data)

    monkeypatch.setattr(importer, "decode_image", counting)
    _, rows = imported(name, tmp_path / "source", tmp_path / "data")
    assert len(decoded) == len(set(decoded)) == len({image.sha256 for row in rows for image in row.images})


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_nothing_is_made_from_is_counted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patch_records(monkeypatch, name, lambda records: [changed(record, mood="calm") for record in records])
    summary, _ = imported(name, tmp_path / "source", tmp_path / "data")
    assert summary.not_used["mood"] == summary.read
    path, images = where(name, tmp_path / "source")
    words = ["import", name, str(path), "--out", str(tmp_path / "data"), *(["--images", str(images)] if images else [])]
    assert main(words) == 0
    assert f"mood {summary.read}" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_an_import_without_a_record(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, images = write_source(name, tmp_path / "source")
    with monkeypatch.context() as patch:
        patch_records(patch, name, lambda records: [])
        with pytest.raises(SourceError, match="holds no record"):
            import_data(name, path, tmp_path / "data", images=images)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_mended_source_may_have_the_folder_that_got_no_row(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, images = write_source(name, tmp_path / "source")
    words = ["import", name, str(path), "--out", str(tmp_path / "data"), *(["--images", str(images)] if images else [])]
    with monkeypatch.context() as patch:
        patch_records(patch, name, lambda records: [changed(record, emptied=True) for record in records])
        assert main(words) == 1
    message = capsys.readouterr().err
    assert str(tmp_path / "data/rejects.jsonl") in message and "could be kept" in message
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["rejects.jsonl"], "the reasons stay"
    assert main(words) == 0
    assert list(read_rows(tmp_path / "data"))


def test_only_the_reasons_of_an_import_make_room_for_another(tmp_path: Path) -> None:
    path, images = write_source("llava", tmp_path / "source")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rejects.jsonl").write_text('{"mine": 1}\n')
    words = ["import", "llava", str(path), "--images", str(images), "--out", str(tmp_path / "data")]
    assert main(words) == 2
    assert (tmp_path / "data/rejects.jsonl").read_text() == '{"mine": 1}\n'
