"""A download is known by its hashes: what was pinned, and what the first use wrote down."""

import json
from pathlib import Path

import pytest
from tests.unit.datasets.benchmarks.downloads import EXPECTED, NAMES, read_files, write

from blindpo.cli.main import main
from blindpo.datasets.download import CHECKSUMS, Download
from blindpo.datasets.importer import import_data
from blindpo.errors import SourceError


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_differs_from_its_first_use_is_refused(name: str, tmp_path: Path) -> None:
    folder = write(name, tmp_path / "dir")
    import_data(name, folder, tmp_path / "data")
    assert set(read_files(name, folder)) <= set(json.loads((folder / CHECKSUMS).read_text()))
    for file in read_files(name, folder):
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data + b" ")
        with pytest.raises(SourceError, match="is not what was first read"):
            import_data(name, folder, tmp_path / "again")
        (folder / file).write_bytes(data)
    assert import_data(name, folder, tmp_path / "again").kept == EXPECTED[name][0]


def test_a_pinned_hash_counts_before_the_first_use(tmp_path: Path) -> None:
    folder = write("xstest", tmp_path / "dir")
    download = Download(folder, "fetch it", {"xstest_prompts.csv": "0" * 64})
    with pytest.raises(SourceError, match="is not the released file"):
        download.csv("xstest_prompts.csv")


@pytest.mark.parametrize("content", ["[1]", "{"])
def test_a_broken_record_of_hashes_is_named(content: str, tmp_path: Path) -> None:
    folder = write("xstest", tmp_path / "dir")
    (folder / CHECKSUMS).write_text(content)
    with pytest.raises(SourceError, match=CHECKSUMS):
        import_data("xstest", folder, tmp_path / "data")


def test_a_download_that_cannot_be_written_is_read_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("siuo", tmp_path / "dir")

    def refuse(path: Path, content: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("blindpo.datasets.download.write_json", refuse)
    words = ["import", "siuo", str(folder), "--out", str(tmp_path / "data")]
    for _ in range(2):  # the second time from the manifest
        assert main(words) == 0
        assert f"{folder} cannot be written: hashes" in capsys.readouterr().out
    noted = json.loads((tmp_path / "data" / "manifest.json").read_text())["checksums"]
    assert set(read_files("siuo", folder)) <= set(noted) and not (folder / CHECKSUMS).exists()
