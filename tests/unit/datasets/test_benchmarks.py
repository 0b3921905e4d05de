"""Every adapter on a tiny invented download: its rows, and what it says of a missing, a cut and an altered file."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.unit.datasets.benchmarks.downloads import EXPECTED, NAMES, PREFIX, WRITERS, png, read_files, write

from blindpo.cli.main import main
from blindpo.datasets import importer as importing
from blindpo.datasets.benchmarks.base import item_meta
from blindpo.datasets.download import CHECKSUMS
from blindpo.datasets.importer import ImportSummary, import_data
from blindpo.datasets.table import BENCHMARKS, list_benchmarks
from blindpo.errors import BlindpoError, NothingKeptError, SourceError
from blindpo.evaluation.measures import pairs, row_meta
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows


def test_there_is_a_download_for_every_adapter() -> None:
    assert set(WRITERS) == set(BENCHMARKS) == set(EXPECTED)


def imported(name: str, folder: Path, out: Path) -> tuple[ImportSummary, list[PreferenceRow]]:
    summary = import_data(name, folder, out)
    return summary, list(read_rows(out))


@pytest.mark.parametrize("name", NAMES)
def test_a_download_becomes_rows(name: str, tmp_path: Path) -> None:
    summary, rows = imported(name, write(name, tmp_path / "dir"), tmp_path / "data")
    num_rows, labels, num_pairs, subsets = EXPECTED[name]
    assert (summary.kept, summary.rejected, len(rows)) == (num_rows, 0, num_rows)
    counted = Counter(row.label for row in rows)
    assert tuple(counted[label] for label in ("harmful", "harmless", "unknown")) == labels
    assert len(list(pairs([row_meta(row) for row in rows]))) == num_pairs
    assert {row.provenance.split for row in rows} == subsets
    assert len({row.row_id for row in rows}) == num_rows
    assert all(row.images for row in rows if row.provenance.split != "text_only" and name != "xstest")
    if name not in ("mossbench", "mmsafe-po-test", "msts", "spavl-harmeval", "spavl-helpeval"):
        assert all(row.categories for row in rows)
    if BENCHMARKS[name].card.num_rows is not None:
        assert summary.release.complete is False


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_says_what_to_fetch(name: str, tmp_path: Path) -> None:
    folder = write(name, tmp_path / "dir")
    for place, file in enumerate(read_files(name, folder)):
        (folder / file).rename(tmp_path / "aside")
        with pytest.raises(SourceError) as caught:
            import_data(name, folder, tmp_path / f"data{place}")
        assert BENCHMARKS[name].card.fetch.replace("DIR", str(folder)) in str(caught.value)
        assert not (tmp_path / f"data{place}").exists()
        (tmp_path / "aside").rename(folder / file)
    with pytest.raises(SourceError, match="is not a folder"):
        import_data(name, tmp_path / "nowhere", tmp_path / "data")


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_file_is_refused_or_its_last_line_kept_aside(name: str, tmp_path: Path) -> None:
    folder = write(name, tmp_path / "dir")
    whole = EXPECTED[name][0]
    for place, file in enumerate(read_files(name, folder)):
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data[: len(data) * 3 // 5])
        try:
            summary = import_data(name, folder, tmp_path / f"data{place}")
        except BlindpoError as error:
            assert "fetch" in str(error) or "clone" in str(error)
        else:
            assert file.endswith(".csv"), "only lines of text can be cut without notice"
            assert summary.kept < whole and summary.release.complete is False
        (folder / file).write_bytes(data)
        (folder / CHECKSUMS).unlink(missing_ok=True)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("xstest", "spavl-harmeval", "spavl-helpeval")])
def test_an_image_that_is_missing_cut_or_altered_is_kept_aside_and_told(name: str, tmp_path: Path) -> None:
    folder = write(name, tmp_path / "dir")
    first, rows = imported(name, folder, tmp_path / "data")
    checksums = (folder / CHECKSUMS).read_bytes()
    wanted = next(row for row in rows if row.images).images[0].file
    picture = folder / (f"images/{wanted}" if name == "mmsafe-po-test" else str(wanted))
    data = picture.read_bytes()
    for place, content in enumerate((None, data[: len(data) // 2], png(201))):
        picture.unlink() if content is None else picture.write_bytes(content)
        if place == 1:
            (folder / CHECKSUMS).unlink()
        out = tmp_path / f"out{place}"
        try:
            summary = import_data(name, folder, out)
            reasons = (out / "rejects.jsonl").read_text()
            assert summary.rejected and summary.kept < first.kept
        except NothingKeptError as error:
            reasons = str(error)
        assert picture.name in reasons and ("fetch" in reasons or "clone" in reasons or "missing" in reasons)
        (folder / CHECKSUMS).write_bytes(checksums)
    picture.write_bytes(data)
    assert import_data(name, folder, tmp_path / "last").kept == first.kept


def test_only_keeps_subsets_and_categories(tmp_path: Path) -> None:
    folder = write("mm-safetybench", tmp_path / "dir")
    summary = import_data("mm-safetybench", folder, tmp_path / "data", only=["SD", "text_only"])
    assert (summary.kept, summary.release.complete, summary.release.only) == (52, None, ("SD", "text_only"))
    texts = {row.provenance.split: row.prompt[0].text for row in read_rows(tmp_path / "data")}
    assert texts == {"SD": "The image shows a game 1. List steps.", "text_only": "List steps of game 1."}
    with pytest.raises(BlindpoError, match="keeps no row"):
        import_data("mm-safetybench", folder, tmp_path / "none", only=["nothing"])
    assert not (tmp_path / "none").exists()


def test_mssbench_asks_as_its_code_does_where_its_prompts_lie(tmp_path: Path) -> None:
    folder = write("mssbench", tmp_path / "dir")
    _, rows = imported("mssbench", folder, tmp_path / "data")
    assert {row.prompt[0].text for row in rows} == {PREFIX + q for q in ("How do I play here?", "Which rules count?")}
    assert all(item_meta(row)["prefix"] for row in rows)
    (folder / "utils/prompts.py").unlink()
    _, bare = imported("mssbench", folder, tmp_path / "bare")
    assert bare[0].prompt[0].text == "How do I play here?" and item_meta(bare[0])["prefix"] is None


def unclocked(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "timings.json"}


@pytest.mark.parametrize("name", ["mmsafe-po-test", "mm-safetybench"])
def test_an_import_that_was_stopped_goes_on_and_knows_all_images(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(name, tmp_path / "dir")
    monkeypatch.setattr(importing, "SHARD_RECORDS", 5)
    import_data(name, folder, tmp_path / "whole")
    checksums = json.loads((folder / CHECKSUMS).read_text())
    (folder / CHECKSUMS).unlink()
    real, shards = importing._Importer.__call__, []

    def stopping(self: Any, shard: int) -> Any:
        if shards:
            raise KeyboardInterrupt
        shards.append(shard)
        return real(self, shard)

    monkeypatch.setattr(importing._Importer, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        import_data(name, folder, tmp_path / "stopped")
    monkeypatch.setattr(importing._Importer, "__call__", real)
    import_data(name, folder, tmp_path / "stopped")
    assert unclocked(tmp_path / "stopped") == unclocked(tmp_path / "whole")
    assert json.loads((folder / CHECKSUMS).read_text()) == checksums


def test_the_list_says_what_lies_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write("siuo", tmp_path / "siuo")
    write("msts", tmp_path / "msts")
    (tmp_path / "msts/data/prompts/english_multimodal.csv").unlink()
    cards = {card["name"]: card for card in list_benchmarks(tmp_path)}
    assert cards["siuo"]["on_disk"] == "files" and cards["vlguard"]["on_disk"] == "nothing"
    assert cards["msts"]["on_disk"] == "incomplete" and "english_multimodal.csv" in cards["msts"]["missing"]
    assert main(["benchmarks", "--data", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "to get it  fetch test.json" in shown
    assert f"into {tmp_path / 'vlguard'}" in shown and "DIR" not in shown
    assert main(["benchmarks", "--json"]) == 0
    assert {card["name"] for card in json.loads(capsys.readouterr().out)["benchmarks"]} == set(BENCHMARKS)


def test_the_command_imports_a_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write("siuo", tmp_path / "dir")
    words = ["import", "siuo", str(folder), "--out", str(tmp_path / "data")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "2 rows of the 167 that were released" in shown
    assert f"kept in {folder / CHECKSUMS}" in shown
    assert main([*words, "--strict", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["complete"] is False
    assert main([*words, "--images", str(folder)]) == 2
    assert main(["import", "llava", str(folder), "--only", "x", "--out", str(tmp_path / "other")]) == 2
