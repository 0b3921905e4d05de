"""Export writes only what is new, gives every image a name of its own, and says what is in the way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.simple_rows import png, simple

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.rows.row import ImageRef
from blindpo.rows.shards import read_rows, shard_name, write_shard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows whose images share a name, have a hostile one, or none."""
    names = [("image.png", "red"), ("image.png", "blue"), ("../../up", "red"), (None, "green"), ("own", "red")]
    rows = [
        simple(str(number), images=(ImageRef(data=png(colour), file=name),))
        for number, (name, colour) in enumerate(names)
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    write_shard(folder / shard_name(0), rows)
    return folder


def test_two_images_never_share_a_name(data: Path, tmp_path: Path) -> None:
    words = ["export", "llava", str(data), "--out", str(tmp_path / "out.json"), "--images", str(tmp_path / "i")]
    assert main(words) == 0
    rows = list(read_rows(data))
    named = [record["image"] for record in json.loads((tmp_path / "out.json").read_text())]
    assert named == [*(row.images[0].sha256 for row in rows[:4]), "own"]
    assert sorted(path.name for path in (tmp_path / "i").iterdir()) == sorted({*named})
    import_data("llava", tmp_path / "out.json", tmp_path / "again", images=tmp_path / "i")
    assert [r.images[0].data for r in read_rows(tmp_path / "again")] == [r.images[0].data for r in rows]


def test_trl_keeps_names_as_they_are(data: Path, tmp_path: Path) -> None:
    assert main(["export", "trl", str(data), "--out", str(tmp_path / "out"), "--images", str(tmp_path / "i")]) == 0
    assert list(read_rows(tmp_path / "out")) == list(read_rows(data))
    assert len(list((tmp_path / "i").iterdir())) == 4


def test_images_that_are_there_are_not_overwritten(data: Path, tmp_path: Path) -> None:
    (tmp_path / "i").mkdir()
    (tmp_path / "i" / "own").write_bytes(b"mine")
    words = ["export", "llava", str(data), "--out", str(tmp_path / "out.json"), "--images", str(tmp_path / "i")]
    assert main(words) == 2
    assert (tmp_path / "i" / "own").read_bytes() == b"mine" and not (tmp_path / "out.json").exists()
    (tmp_path / "i" / "own").write_bytes(png("red"))
    assert main(words) == 0


@pytest.mark.parametrize(
    ("form", "out", "images", "message"),
    [
        ("llava", "there.json", None, "exists already"),
        ("llava", "folder", None, "exists already"),
        ("trl", "data", None, "exists already"),
        ("llava", "there.json/out.json", None, "is no folder"),
        ("llava", "out.json", "there.json", "--images"),
        ("llava", "new", "new/img", "is a file in llava; put --images elsewhere"),
        ("mmsafe-po", "new", "new", "is a file in mmsafe-po; put --images elsewhere"),
        ("trl", "new.parquet", "new.parquet/img", "is a file in trl; put --images elsewhere"),
        ("llavaa", "out.json", None, "did you mean 'llava'"),
    ],
)
def test_what_is_in_the_way_is_named(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    form: str,
    out: str,
    images: str | None,
    message: str,
) -> None:
    (tmp_path / "there.json").write_text("[]")
    (tmp_path / "folder").mkdir()
    words = ["export", form, str(data), "--out", str(tmp_path / out)]
    assert main([*words, *(["--images", str(tmp_path / images)] if images else [])]) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "there.json").read_text() == "[]"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "folder", "there.json"}


def test_no_row_that_the_format_can_say_is_status_1(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bare").mkdir()
    write_shard(tmp_path / "bare" / shard_name(0), [replace(r, chosen=None, rejected=None) for r in read_rows(data)])
    assert main(["export", "trl", str(tmp_path / "bare"), "--out", str(tmp_path / "out")]) == 1
    assert "no pair of responses" in capsys.readouterr().err and not (tmp_path / "out").exists()
