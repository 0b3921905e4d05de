"""HH-RLHF: raw text to row and back is the identity, and so is row to raw text to row; each refusal has its code."""

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sample import REAL, draw, write_sample

from blindpo.cli.main import main
from blindpo.datasets.download import Download
from blindpo.datasets.formats.hh_rlhf import HHRLHF
from blindpo.datasets.formats.jsonl import MAX_LINE_BYTES, JsonLines, Line
from blindpo.datasets.formats.mmsafe_po import MMSafePO
from blindpo.datasets.importer import import_data
from blindpo.errors import RowError, SourceError
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Turn
from blindpo.rows.shards import read_rows

FORMAT = HHRLHF()
ONE = "\n\nHuman: Where is it?\n\nAssistant: "
TWO = f"{ONE}There.\n\nOver there.\n\nHuman: Thanks\n\nAssistant: "


def line(record: Any, number: int = 1, stem: str = "train") -> Line:
    return Line(stem, number, json.dumps(record).encode())


def pair(prompt: str, chosen: str = "A", rejected: str = "B", **more: Any) -> dict[str, Any]:
    return {"chosen": prompt + chosen, "rejected": prompt + rejected, **more}


@pytest.mark.parametrize(
    "record",
    [
        pair(ONE),
        pair(TWO, "A ", "  B\n"),
        pair("\n\nHuman:close\n\nAssistant:", "close", "too"),
        pair("\n\nHuman: USER: x\n\nAssistant: ", "a\n\nb", "Human: b"),
        pair(ONE, score=[1, None]),
        {"rejected": ONE + "B", "chosen": ONE + "A"},
    ],
)
def test_raw_to_row_to_raw_is_the_identity(record: dict[str, Any], tmp_path: Path) -> None:
    row = FORMAT.to_row(line(record), "hh-rlhf-train-1", None)
    assert FORMAT.to_record(row) == record and list(FORMAT.to_record(row)) == list(record)
    for name in ("out.jsonl", "out.jsonl.gz"):
        FORMAT.write([record], tmp_path / name)
        (again,) = FORMAT.records(Download.of_user(tmp_path / name))
        assert json.loads(again.data) == record
        assert FORMAT.to_row(again, "hh-rlhf-train-1", None).prompt == row.prompt


def test_what_a_row_says() -> None:
    row = FORMAT.to_row(line(pair(TWO, "A", "B"), 7, "harmless-base/test"), "id", None)
    assert [(turn.role, turn.text) for turn in row.prompt] == [
        ("user", "Where is it?"),
        ("assistant", "There.\n\nOver there."),
        ("user", "Thanks"),
    ]
    assert (row.chosen, row.rejected, row.extra) == ("A", "B", None)
    assert (row.provenance.split, row.provenance.source_row_id) == ("test", "harmless-base/test:7")


@pytest.mark.parametrize(
    ("code", "record"),
    [
        ("no-leading-marker", pair("\nHuman: a\n\nAssistant: ")),
        ("no-leading-marker", pair("\n\nAssistant: a\n\nHuman: b\n\nAssistant: ")),
        ("no-leading-marker", pair("")),
        ("ends-with-human", {"chosen": TWO + "A\n\nHuman: more", "rejected": TWO + "B"}),
        ("prefix-differs", {"chosen": ONE + "A", "rejected": "\n\nHuman: Who?\n\nAssistant: B"}),
        ("prefix-differs", {"chosen": ONE + "A", "rejected": TWO + "B"}),
        ("repeated-role", pair("\n\nHuman: a\n\nHuman: b\n\nAssistant: ")),
        ("empty-turn", pair("\n\nHuman:\n\nAssistant: ")),
        ("empty-turn", pair(ONE, " ")),
        ("identical-pair", pair(ONE, "A", "A ")),
        ("image-tag", pair("\n\nHuman: see <image>\n\nAssistant: ")),
        ("no-text", {"chosen": ONE + "A"}),
        ("no-text", {"chosen": ONE + "A", "rejected": 7}),
        ("not-json", None),
        ("over-long-line", None),
    ],
)
def test_every_refusal_has_its_code(code: str, record: Any) -> None:
    given = {"not-json": Line("train", 1, b'{"chosen": '), "over-long-line": Line("train", 1, None)}
    with pytest.raises(RowError) as caught:
        FORMAT.to_row(given.get(code) or line(record), "id", None)
    assert caught.value.reason.startswith(f"{code}: ") and caught.value.field


def test_folders_splits_ids_and_good_rows_beside_bad_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "hh"
    for name in ("harmless-base/train", "harmless-base/test", "red-team-attempts/red_team_attempts"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        texts = [json.dumps(pair(ONE, name)), "{", "", "\xe9", json.dumps(pair(TWO, name))]
        with gzip.open(source / f"{name}.jsonl.gz", "wb") as file:
            file.write("\n".join(texts).encode("latin-1"))
    assert main(["import", "hh-rlhf", str(source), "--out", str(tmp_path / "rows")]) == 0
    assert "read 8 = kept 4 + rejected 4" in capsys.readouterr().out
    rows = list(read_rows(tmp_path / "rows"))
    assert [row.row_id for row in rows] == [
        f"hh-rlhf-harmless-base/{split}-{number}" for split in ("test", "train") for number in (1, 5)
    ]
    assert [row.provenance.split for row in rows] == ["test", "test", "train", "train"]
    assert main(["export", "hh-rlhf", str(tmp_path / "rows"), "--out", str(tmp_path / "out.jsonl")]) == 0
    assert len(FORMAT.records(Download.of_user(tmp_path / "out.jsonl"))) == 4


def test_lines_are_a_sequence_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(f"{n}\n\n" for n in range(9)))
    lines = JsonLines([path], path)
    assert [int(lines[n].data) for n in (0, 5, 3, -1)] == [0, 5, 3, 8]
    assert [int(found.data) for found in lines[2:7]] == [2, 3, 4, 5, 6] and lines[7:3] == []
    assert [int(found.data) for found in lines[::-4]] == [8, 4, 0] and lines[4].number == 9


def test_a_line_without_end_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"1\n" + b"x" * (2 * MAX_LINE_BYTES + 9) + b"\n2")
    assert [found.data for found in JsonLines([path], path)[:]] == [b"1", None, b"2"]


def test_sources_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no"):
        FORMAT.files(Download.of_user(tmp_path))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 9)[:-9])
    with pytest.raises(SourceError, match="not whole gzip"):
        FORMAT.records(Download.of_user(tmp_path / "a.jsonl.gz"))
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(SourceError, match="twice"):
        FORMAT.records(Download.of_user(tmp_path))
    with pytest.raises(SourceError, match="is missing"):
        FORMAT.records(Download.of_user(tmp_path / "none.jsonl"))


def text_only(row: PreferenceRow) -> PreferenceRow:
    return replace(row, prompt=row.text_prompt or (), images=(), text_prompt=None, entity=None, extra=None)


@pytest.fixture(params=["sample", "real"])
def released(request: pytest.FixtureRequest, tmp_path: Path) -> list[PreferenceRow]:
    if request.param == "real" and not REAL.is_dir():
        pytest.skip("the released rows lie beside the checkout on some machines only")
    folder = REAL if request.param == "real" else write_sample(tmp_path / "sample")
    download = Download.of_user(folder / "test.json", folder / "images")
    records = MMSafePO().records(download)
    return [text_only(MMSafePO().to_row(r, f"r{n}", download)) for n, r in enumerate(records)]


def test_released_rows_go_to_raw_text_and_back(released: list[PreferenceRow], tmp_path: Path) -> None:
    assert len(released) in (12, 154)
    FORMAT.write(map(FORMAT.to_record, released), tmp_path / "test.jsonl.gz")
    import_data("hh-rlhf", tmp_path / "test.jsonl.gz", tmp_path / "rows")
    again = list(read_rows(tmp_path / "rows"))
    assert [(r.prompt, r.chosen, r.rejected) for r in again] == [(r.prompt, r.chosen, r.rejected) for r in released]


def test_what_raw_text_cannot_say() -> None:
    row = FORMAT.to_row(line(pair(ONE)), "id", None)
    for changed in (
        replace(row, images=(ImageRef(data=draw("a")),), prompt=(Turn(role="user", content=(IMAGE, "x")),)),
        replace(row, prompt=(Turn(role="system", content=("s",)), *row.prompt)),
        replace(row, prompt=(Turn(role="user", content=("a\n\nHuman: b",)),)),
        replace(row, chosen=None),
    ):
        with pytest.raises(RowError):
            FORMAT.to_record(changed)
