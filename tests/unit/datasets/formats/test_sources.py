"""A source that is not what its format reads: one paragraph that names it, status 2, and --out is free again."""

import json
from pathlib import Path

import pytest
from tests.simple_rows import simple

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.errors import SourceError
from blindpo.rows.schema import to_record

BROKEN = {
    "cut.json": b'[{"id": 1, ',
    "object.json": b'{"id": 1}',
    "number.json": b"7",
    "binary.json": b"\xff\xfe\x00",
    "deep.json": b"[" * 100_000,
    "empty.json": b"",
}


@pytest.mark.parametrize("name", ["mmsafe-po", "llava", "trl"])
@pytest.mark.parametrize("file", BROKEN)
def test_broken_json(name: str, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / file
    source.write_bytes(BROKEN[file])
    assert main(["import", name, str(source), "--out", str(tmp_path / "data")]) == 2
    shown = capsys.readouterr().err
    assert str(source) in shown and "Traceback" not in shown and len(shown.strip().splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("file", "data"), [("rows.jsonl", b'{"a": 1}\n{"a"'), ("rows.parquet", b"PAR1 no")])
def test_broken_lines_and_parquet(file: str, data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / file).write_bytes(data)
    assert main(["import", "trl", str(tmp_path / file), "--out", str(tmp_path / "data")]) == 2
    assert file in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mmsafe", "nowhere"], "did you mean 'mmsafe-po'"),
        (["mmsafe-po", "nowhere"], "nowhere does not exist"),
        (["mmsafe-po", "."], "is a folder; this format is one file"),
        (["trl", "images"], "no .parquet file"),
        (["llava", "good.json", "--images", "good.json"], "--images good.json is not a folder"),
    ],
)
def test_words_and_paths(
    words: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "good.json").write_text("[]")
    assert main(["import", *words, "--out", "data"]) == 2
    assert message in capsys.readouterr().err and not Path("data").exists()


def test_a_mended_source_and_mended_images_are_seen(tmp_path: Path) -> None:
    source, images = tmp_path / "rows.json", tmp_path / "images"
    images.mkdir()
    source.write_text("[{")
    with pytest.raises(SourceError):
        import_data("llava", source, tmp_path / "data", images=images)
    record = {"conversations": [{"from": "human", "value": "q"}], "chosen": "A", "rejected": "B"}
    source.write_text(json.dumps([record]))
    assert import_data("llava", source, tmp_path / "data", images=images).kept == 1
    (images / "new").write_bytes(b"x")
    assert main(["import", "llava", str(source), "--images", str(images), "--out", str(tmp_path / "data")]) == 2


def test_our_columns_with_other_types_are_rejected(tmp_path: Path) -> None:

    good = to_record(simple("1"))
    good["images"][0]["bytes"] = None
    bad = [
        {**good, "row_id": "a"},
        {**good, "row_id": "b", "blind": 7},
        {**good, "row_id": "c", "images": [], "prompt": "q"},
    ]
    (tmp_path / "rows.json").write_text(json.dumps(bad))
    assert main(["import", "trl", str(tmp_path / "rows.json"), "--out", str(tmp_path / "data")]) == 1
    rejects = [json.loads(line) for line in (tmp_path / "data" / "rejects.jsonl").read_text().splitlines()]
    assert [reject["row_id"] for reject in rejects] == ["a", "b", "c"]
