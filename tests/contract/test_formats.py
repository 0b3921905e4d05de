"""What every format owes: import, export and import again is the identity; what it cannot say is told, never bent."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.sample import REAL, draw, write_sample

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.datasets.table import FORMATS
from blindpo.rows.row import IMAGE, PreferenceRow, Turn
from blindpo.rows.shards import read_rows, shard_name, write_shard

USER = {"from": "human", "value": "<image>\nWhat is it?"}
TURNS = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}]
KITE = draw("kite")

LLAVA: dict[str, dict[str, Any]] = {
    "ranked": {"conversations": [USER, {"from": "gpt", "value": ["A kite. ", "No idea.", "Go."]}]},
    "keys": {"conversations": [USER], "chosen": "A kite.", "rejected": "Go away.", "score": {"a": [1, None]}},
    "tag inside": {"conversations": [{"from": "human", "value": "Is <image> one?"}], "chosen": "A", "rejected": "B"},
    "tag last": {"conversations": [{"from": "human", "value": "Is it\n<image>"}], "chosen": "A", "rejected": "B"},
    "list": {"image": ["kite"], "conversations": [USER], "chosen": "A", "rejected": "B"},
    "system": {"conversations": [{"from": "system", "value": "Be kind."}, USER], "chosen": "A", "rejected": "B"},
    "history": {
        "conversations": [{"value": "hi", "from": "human"}, {"from": "gpt", "value": "Hello "}, USER],
        "chosen": "A",
        "rejected": "B",
    },
    "text alone": {
        "image": None,
        "conversations": [{"from": "human", "value": "Why?"}],
        "chosen": "A",
        "rejected": "B",
    },
    "two": {
        "image": ["kite", "boat:1"],
        "conversations": [{"from": "human", "value": "<image>\n<image>\nWhich?"}, {"from": "gpt", "value": ["A", "B"]}],
    },
}
PATH = {"bytes": None, "path": "kite"}
TRL: dict[str, dict[str, Any]] = {
    "bytes": {"prompt": TURNS, "chosen": "A", "rejected": "B", "images": [{"bytes": KITE, "path": "x/../kite"}]},
    "path": {"prompt": TURNS, "chosen": "A", "rejected": "B", "images": [PATH]},
    "messages": {
        "prompt": TURNS,
        "chosen": [{"role": "assistant", "content": [{"type": "text", "text": "A "}]}],
        "rejected": [{"role": "assistant", "content": "B"}],
        "image": PATH,
    },
    "plain text": {"prompt": "What is it?", "chosen": "A", "rejected": "B", "images": [PATH], "score": 0.5},
    "text messages": {
        "prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "What?"}],
        "chosen": "A",
        "rejected": "B",
        "images": [PATH],
    },
    "no prompt": {
        "chosen": [*TURNS, {"role": "assistant", "content": "A"}],
        "rejected": [*TURNS, {"role": "assistant", "content": "B"}],
        "images": [PATH],
    },
    "text alone": {"prompt": "Why?", "chosen": "A", "rejected": "B", "images": []},
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "kite").write_bytes(KITE)
    (folder / "boat:1").write_bytes(draw("boat"))
    return folder


def there_and_back(name: str, source: Path, images: Path, folder: Path) -> tuple[list[PreferenceRow], Path]:
    """Import `source`, export it, import that: the rows must be equal. Returns them and the exported file."""
    out = folder / {"trl": "out.parquet"}.get(name, "out.json")
    import_data(name, source, folder / "first", images=images)
    words = ["export", name, str(folder / "first"), "--out", str(out), "--images", str(folder / "pictures")]
    assert main(words) == 0
    import_data(name, out, folder / "second", images=folder / "pictures")
    first, second = list(read_rows(folder / "first")), list(read_rows(folder / "second"))
    assert first == second
    return first, out


@pytest.mark.parametrize("case", LLAVA)
def test_llava(case: str, tmp_path: Path, images: Path) -> None:
    record = {"id": "a-1", "image": "kite", **LLAVA[case]}
    source = tmp_path / "rows.json"
    source.write_text(json.dumps([record], indent=2) + "\n")
    rows, out = there_and_back("llava", source, images, tmp_path)
    assert out.read_bytes() == source.read_bytes()
    assert rows[0].row_id == "llava-a-1" and rows[0].prompt[-1].role == "user"


def test_a_ranked_list_keeps_its_order(tmp_path: Path, images: Path) -> None:
    source = tmp_path / "rows.json"
    source.write_text(json.dumps([{"image": "kite", **LLAVA["ranked"]}]))
    rows, _ = there_and_back("llava", source, images, tmp_path)
    assert (rows[0].chosen, rows[0].rejected, rows[0].more_rejected) == ("A kite. ", "No idea.", ("Go.",))
    assert rows[0].row_id == "llava-record-0"


@pytest.mark.parametrize("suffix", ["parquet", "json", "jsonl", "folder"])
@pytest.mark.parametrize("case", TRL)
def test_trl(case: str, suffix: str, tmp_path: Path, images: Path) -> None:
    record = {"id": 0, **TRL[case]}
    source = write_trl(tmp_path, record, suffix)
    rows, _ = there_and_back("trl", source, images, tmp_path)
    assert (rows[0].row_id, rows[0].chosen.strip(), rows[0].rejected) == ("trl-0", "A", "B")
    assert [image.data for image in rows[0].images] == ([] if case == "text alone" else [KITE])
    slots = [turn.num_images for turn in rows[0].prompt]
    assert slots == ([0, 1] if case == "text messages" else [int(case != "text alone")])


def write_trl(folder: Path, record: dict[str, Any], suffix: str) -> Path:
    if suffix in {"parquet", "folder"}:
        if case_is_mixed(record):
            pytest.skip("Arrow has no column of mixed types")
        path = folder / "in" / "train-00000.parquet"
        path.parent.mkdir()
        pq.write_table(pa.Table.from_pylist([record]), path)
        return path if suffix == "parquet" else path.parent
    text = json.dumps(record, default=lambda data: base64.b64encode(data).decode(), ensure_ascii=False)
    path = folder / f"in.{suffix}"
    path.write_text(f"{text}\n" if suffix == "jsonl" else f"[{text}]")
    return path


def case_is_mixed(record: dict[str, Any]) -> bool:
    chosen = record["chosen"]
    return isinstance(chosen, list) and len({type(message["content"]) for message in chosen}) > 1


@pytest.mark.parametrize("text", ["data:image/png;base64,", ""])
def test_trl_base64(text: str, tmp_path: Path, images: Path) -> None:
    record = {"prompt": TURNS, "chosen": "A", "rejected": "B", "images": text + base64.b64encode(KITE).decode()}
    rows, _ = there_and_back("trl", write_trl(tmp_path, record, "jsonl"), images, tmp_path)
    assert rows[0].images[0].data == KITE


def test_separators_inside_json_lines_are_text(tmp_path: Path, images: Path) -> None:
    record = {"prompt": "a\u2028b\u0085c", "chosen": "A", "rejected": "B"}
    rows, _ = there_and_back("trl", write_trl(tmp_path, record, "jsonl"), images, tmp_path)
    assert rows[0].prompt[0].text == "a\u2028b\u0085c"


def test_mmsafe_po_sample_goes_back_byte_for_byte(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "sample")
    rows, out = there_and_back("mmsafe-po", sample / "test.json", sample / "images", tmp_path)
    assert out.read_bytes() == (sample / "test.json").read_bytes()
    assert len(rows) == 12
    for row in rows:
        assert row.prompt[-1].content[0] is IMAGE and not str(row.prompt[-1].content[1]).startswith("\n")
        assert row.label == "unknown" and row.chosen.endswith(" ") and row.text_prompt is not None
        assert row.entity.text in row.text_prompt[-1].text and row.images[0].data == draw(row.images[0].file)
    assert rows[0].provenance.dialogue_id == rows[5].provenance.dialogue_id != rows[1].provenance.dialogue_id
    assert rows[0].images == rows[9].images


@pytest.mark.skipif(not REAL.is_dir(), reason="the released rows lie beside the checkout on some machines only")
def test_all_real_rows_are_kept_and_go_back_byte_for_byte(tmp_path: Path) -> None:
    rows, out = there_and_back("mmsafe-po", REAL / "test.json", REAL / "images", tmp_path)
    assert len(rows) == 154
    assert out.read_bytes() == (REAL / "test.json").read_bytes()
    for picture in REAL.joinpath("images").iterdir():
        assert (tmp_path / "pictures" / picture.name).read_bytes() == picture.read_bytes()


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "hh-rlhf"])
def test_rows_of_one_source_go_through_every_format(name: str, tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "sample")
    import_data("mmsafe-po", sample / "test.json", tmp_path / "data", images=sample / "images")
    out = tmp_path / ("out" if name == "trl" else "out.json")
    assert main(["export", name, str(tmp_path / "data"), "--out", str(out), "--images", str(tmp_path / "i")]) == 0
    import_data(name, out, tmp_path / "again", images=tmp_path / "i")
    kept = [(r.prompt, r.chosen, r.rejected, r.images) for r in read_rows(tmp_path / "again")]
    assert kept == [(r.prompt, r.chosen, r.rejected, r.images) for r in read_rows(tmp_path / "data")]


def test_a_row_that_was_changed_is_not_exported_as_it_was(tmp_path: Path, images: Path) -> None:
    record = {"id": 1, "image": "kite", **LLAVA["tag inside"]}
    (tmp_path / "rows.json").write_text(json.dumps([record]))
    rows, _ = there_and_back("llava", tmp_path / "rows.json", images, tmp_path)
    changed = replace(rows[0], prompt=(Turn(role="user", content=(IMAGE, "Other?")),))
    assert FORMATS["llava"].to_record(changed)["conversations"] == [{"from": "human", "value": "<image>\nOther?"}]


def test_what_one_string_cannot_say_is_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = write_sample(tmp_path / "sample")
    import_data("mmsafe-po", sample / "test.json", tmp_path / "data", images=sample / "images")
    first, second, third, fourth, *rest = read_rows(tmp_path / "data")
    ambiguous = Turn(role="user", content=(IMAGE, "x ASSISTANT: y USER: z"))
    rows = [
        replace(first, prompt=(ambiguous,)),
        replace(second, chosen=None),
        replace(third, images=(), prompt=(Turn(role="user", content=("text",)),)),
        replace(fourth, prompt=(Turn(role="system", content=("s",)), *fourth.prompt)),
        *rest,
    ]
    (tmp_path / "changed").mkdir()
    write_shard(tmp_path / "changed" / shard_name(0), rows)
    words = ["export", "mmsafe-po", str(tmp_path / "changed"), "--out", str(tmp_path / "out.json"), "--json"]
    capsys.readouterr()
    assert main(words) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"] == 8 and list(shown["left_out"]) == [row.row_id for row in rows[:4]]
    assert [record["id"] for record in json.loads((tmp_path / "out.json").read_text())] == list(range(5, 13))
