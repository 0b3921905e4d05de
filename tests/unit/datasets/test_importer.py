"""What the one importer decides itself: what is remembered, which ids are the same, which option goes with what."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.sources import write_source

from blindpo.datasets.download import CHECKSUMS
from blindpo.datasets.importer import ImportSummary, import_data, require_strict
from blindpo.datasets.table import BENCHMARKS
from blindpo.errors import ConfigError, NothingKeptError, StrictError
from blindpo.rows.shards import read_rows


def rejects(out: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]


def test_a_broken_image_is_not_what_the_next_download_is_held_to(tmp_path: Path) -> None:
    write_source("siuo", tmp_path / "dir")
    image = tmp_path / "dir/images/S-0.png"
    whole = image.read_bytes()
    image.write_bytes(whole[:40])
    assert import_data("siuo", tmp_path / "dir", tmp_path / "part").rejected == 1
    remembered = json.loads((tmp_path / "dir" / CHECKSUMS).read_text())
    assert "images/S-1.png" in remembered and "images/S-0.png" not in remembered
    image.write_bytes(whole)
    assert import_data("siuo", tmp_path / "dir", tmp_path / "data").kept == 2


def test_two_rows_of_one_record_with_one_id_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_source("siuo", tmp_path / "dir")
    benchmark: Any = BENCHMARKS["siuo"]
    items = benchmark.items

    def twice(record: Any, number: int, download: Any) -> Iterator[Any]:
        yield from items(record, number, download)
        if number == 0:
            yield from items(record, number, download)

    monkeypatch.setattr(benchmark, "items", twice)
    summary = import_data("siuo", tmp_path / "dir", tmp_path / "data")
    assert (summary.kept, summary.rejected) == (1, 1)
    assert "two rows of this record have the same id" in rejects(tmp_path / "data")[0]["reason"]


def test_a_row_that_breaks_an_invariant_is_rejected_by_its_own_id(tmp_path: Path) -> None:
    write_source("siuo", tmp_path / "dir")
    path = tmp_path / "dir/siuo_gen.json"
    first, second = json.loads(path.read_text())
    path.write_text(json.dumps([{**first, "question": "half \ud800"}, second]))
    assert import_data("siuo", tmp_path / "dir", tmp_path / "data").kept == 1
    (reject,) = rejects(tmp_path / "data")
    assert reject["row_id"] == "siuo-0" and "surrogate" in reject["reason"]


def test_keys_of_records_without_a_kept_row_are_not_counted(tmp_path: Path) -> None:
    write_source("xstest", tmp_path / "dir")
    assert import_data("xstest", tmp_path / "dir", tmp_path / "all").not_used == {"note": 2}
    assert import_data("xstest", tmp_path / "dir", tmp_path / "one", only=["safe"]).not_used == {"note": 1}


def test_an_option_that_has_no_effect_is_refused(tmp_path: Path) -> None:
    path, images = write_source("llava", tmp_path / "llava")
    write_source("siuo", tmp_path / "siuo")
    with pytest.raises(ConfigError, match="--only has no effect with the format llava"):
        import_data("llava", path, tmp_path / "data", images=images, only=["x"])
    with pytest.raises(ConfigError, match="--images has no effect with a benchmark"):
        import_data("siuo", tmp_path / "siuo", tmp_path / "data", images=images)
    with pytest.raises(ConfigError, match="did you mean 'siuo'"):
        import_data("suio", tmp_path / "siuo", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_strict_means_no_reject_and_a_whole_release(tmp_path: Path) -> None:
    path, images = write_source("llava", tmp_path / "llava")
    require_strict(import_data("llava", path, tmp_path / "data", images=images), tmp_path / "data")
    with pytest.raises(StrictError, match="1 of 2 records were rejected"):
        require_strict(ImportSummary(read=2, kept=1, rejected=1), tmp_path)
    write_source("siuo", tmp_path / "siuo")
    with pytest.raises(StrictError, match="only 2 of the 167 rows of siuo"):
        require_strict(import_data("siuo", tmp_path / "siuo", tmp_path / "part"), tmp_path / "part")


@pytest.mark.parametrize("name", ["llava", "siuo"])
def test_a_folder_that_an_older_version_finished_is_read(name: str, tmp_path: Path) -> None:
    path, images = write_source(name, tmp_path / "source")
    summary = import_data(name, path, tmp_path / "data", images=images)
    manifest = tmp_path / "data/manifest.json"
    content = json.loads(manifest.read_text())
    newer = ("not_used",) if name == "llava" else ("not_used", "read", "kept")
    manifest.write_text(json.dumps({key: value for key, value in content.items() if key not in newer}))
    again = import_data(name, path, tmp_path / "data", images=images)
    assert {**asdict(again), "not_used": None} == {**asdict(summary), "not_used": None}


def test_a_mended_file_may_have_the_folder_that_got_no_row(tmp_path: Path) -> None:
    path, images = write_source("llava", tmp_path / "llava")
    whole = path.read_text()
    path.write_text('[{"id": 1}]')
    with pytest.raises(NothingKeptError, match="none of 1 records of llava"):
        import_data("llava", path, tmp_path / "data", images=images)
    assert rejects(tmp_path / "data")[0]["row_id"] == "llava-1"
    path.write_text(whole)
    assert import_data("llava", path, tmp_path / "data", images=images).kept == len(list(read_rows(tmp_path / "data")))
