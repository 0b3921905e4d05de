"""Import keeps every good row, names what is wrong with every bad one, and MMSafe-PO goes back byte for byte."""

import json
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.simple_rows import png

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.errors import OutputError
from blindpo.rows.row import IMAGE
from blindpo.rows.shards import read_rows


def record(number: int, **changes: object) -> dict:
    name = f"flag {number}.svg.png"
    known = {
        "id": number,
        "question": "USER: hello ASSISTANT: hi  there USER: <image>\nWhere is the place shown?  Tell me. ASSISTANT:",
        "image": quote(name),
        "chosen": f"ASSISTANT: In the north, I think ({number}). ",
        "rejected": "ASSISTANT: Who cares? ",
        "type": "harmless",
        "entity": "Norland",
        "entity_type": "LOC",
        "replacement": "the place shown",
        "text_prompt": "USER: hello ASSISTANT: hi  there USER: Where is Norland?  Tell me. ASSISTANT:",
        "mid_prompt": "USER: hello ASSISTANT: hi  there USER: <image>\nWhere is the place shown? ASSISTANT:",
    }
    return {**known, **changes}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for number in range(1, 4):
        (images / quote(f"flag {number}.svg.png")).write_bytes(png("red"))
    (images / "tbn:ANd9_no_extension").write_bytes(png("blue"))
    (images / "page.jpg").write_text("<html>no image</html>")
    (images / "empty.png").write_bytes(b"")
    (images / "cut.png").write_bytes(png("green")[:40])
    (images / "bomb.png").write_bytes(bomb())
    return tmp_path


def bomb() -> bytes:
    """A PNG header that promises 20,000 x 20,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (20_000).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size * 2 + b"\x08\x02\x00\x00\x00") + chunk(b"IEND", b"")


def write(folder: Path, records: list) -> Path:
    path = folder / "rows.json"
    path.write_text(json.dumps(records, ensure_ascii=False, indent=4))
    return path


def test_good_rows_go_back_byte_for_byte(source: Path) -> None:
    odd = record(2, image="tbn:ANd9_no_extension", question="USER: See <image> and say what it is. ASSISTANT:")
    path = write(source, [record(1), odd, record(3, unknown_key={"a": [1]})])
    assert main(["import", "mmsafe-po", str(path), "--images", str(source / "images"), "--out", str(source / "d")]) == 0
    rows = list(read_rows(source / "d"))
    assert [row.row_id for row in rows] == ["mmsafe-po-1", "mmsafe-po-2", "mmsafe-po-3"]
    assert rows[0].prompt[-1].content == (IMAGE, "Where is the place shown?  Tell me.")
    assert rows[0].label == "unknown" and rows[0].chosen.endswith(" ")
    assert (
        main(
            [
                "export",
                "mmsafe-po",
                str(source / "d"),
                "--out",
                str(source / "back.json"),
                "--images",
                str(source / "i2"),
            ]
        )
        == 0
    )
    assert (source / "back.json").read_bytes() == path.read_bytes()
    assert (source / "i2" / "tbn:ANd9_no_extension").read_bytes() == png("blue")


BAD = {
    "no chosen": ({"chosen": None}, "chosen"),
    "blank response": ({"chosen": "ASSISTANT:  "}, "chosen"),
    "no prefix": ({"rejected": "Who cares?"}, "rejected"),
    "same": ({"rejected": "ASSISTANT: In the north, I think (2).  "}, "rejected"),
    "two tags": ({"question": "USER: <image>\n<image>\nx ASSISTANT:"}, "question"),
    "no tag": ({"question": "USER: where is it? ASSISTANT:"}, "question"),
    "roles": ({"question": "USER: <image>\na USER: b ASSISTANT:"}, "question"),
    "open end": ({"question": "USER: <image>\na"}, "question"),
    "climbs": ({"image": "../secret.png"}, "image"),
    "absolute": ({"image": "/etc/hostname"}, "image"),
    "missing": ({"image": "nowhere.png"}, "image"),
    "html": ({"image": "page.jpg"}, "image"),
    "empty": ({"image": "empty.png"}, "image"),
    "truncated": ({"image": "cut.png"}, "image"),
    "bomb": ({"image": "bomb.png"}, "image"),
    "number": ({"question": 7}, "question"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_kept_aside_and_all_others_kept(
    source: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, field = BAD[name]
    path = write(source, [record(1), record(2, **changes), record(3)])
    words = ["import", "mmsafe-po", str(path), "--images", str(source / "images"), "--out", str(source / "d"), "--json"]
    assert main(words) == 0
    not_used = {"type": 2}  # of the kept rows
    assert json.loads(capsys.readouterr().out) == {"read": 3, "kept": 2, "rejected": 1, "not_used": not_used}
    rejects = [json.loads(line) for line in (source / "d" / "rejects.jsonl").read_text().splitlines()]
    assert [(r["row_id"], r["field"]) for r in rejects] == [("mmsafe-po-2", field)]
    assert len(rejects[0]["reason"]) > 10
    assert main([*words, "--strict"]) == 1


def test_records_that_are_no_objects_or_repeat_an_id(source: Path) -> None:
    path = write(source, [record(1), record(1), ["x"], record(2)])
    summary = import_data("mmsafe-po", path, source / "d", images=source / "images")
    assert (summary.read, summary.kept, summary.rejected) == (4, 2, 2)
    reasons = (source / "d" / "rejects.jsonl").read_text()
    assert "a record before this one has the same id" in reasons and "not an object" in reasons


@pytest.mark.parametrize(
    ("text", "message"),
    [("[{", "not whole JSON"), ('{"a": 1}', "a list of objects"), ("\x00\xff", "not UTF-8")],
)
def test_a_wrong_source_is_one_paragraph_and_status_2(
    source: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = source / "rows.json"
    path.write_bytes(text.encode("latin-1"))
    assert main(["import", "mmsafe-po", str(path), "--out", str(source / "d")]) == 2
    shown = capsys.readouterr().err
    assert message in shown and "rows.json" in shown and "Traceback" not in shown


def test_words_before_paths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "mmsafepo", str(tmp_path / "no.json"), "--out", str(tmp_path / "d")]) == 2
    assert "unknown format or benchmark 'mmsafepo'" in capsys.readouterr().err
    assert main(["import", "trl", str(tmp_path / "no.json"), "--out", str(tmp_path / "d")]) == 2
    assert "no.json does not exist" in capsys.readouterr().err
    for command in (["check"], ["stats"], ["export", "llava"]):
        tail = ["--out", str(tmp_path / "x")] if command[0] == "export" else []
        assert main([*command, str(tmp_path / "no"), *tail]) == 2


def test_nothing_kept_is_status_1(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(source, [record(1, chosen=None)])
    assert main(["import", "mmsafe-po", str(path), "--images", str(source / "images"), "--out", str(source / "d")]) == 1
    assert "none of 1 records" in capsys.readouterr().err


def test_the_same_command_again_says_the_same_and_another_is_refused(source: Path) -> None:
    path = write(source, [record(1)])
    first = import_data("mmsafe-po", path, source / "d", images=source / "images")
    assert import_data("mmsafe-po", path, source / "d", images=source / "images") == first
    path.write_text("[]")
    with pytest.raises(OutputError, match="source"):
        import_data("mmsafe-po", path, source / "d", images=source / "images")
