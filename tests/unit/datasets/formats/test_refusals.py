"""Every way in which a record can be bad has its own reason, and takes no other record with it."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.sample import draw

from blindpo.datasets.importer import import_data
from blindpo.rows.shards import read_rows

USER = {"from": "human", "value": "<image>\nWhat is it?"}
TURNS = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]
GOOD: dict[str, dict[str, Any]] = {
    "llava": {"image": "kite", "conversations": [USER], "chosen": "A", "rejected": "B"},
    "trl": {"images": ["kite"], "prompt": TURNS, "chosen": "A", "rejected": "B"},
    "mmsafe-po": {
        "question": "USER: <image>\nWhat? ASSISTANT:",
        "image": "kite",
        "chosen": "ASSISTANT: A ",
        "rejected": "ASSISTANT: B ",
    },
}
LONE = "half \ud800"

BAD: dict[str, list[tuple[dict[str, Any], str]]] = {
    "llava": [
        ({"conversations": "text"}, "conversations"),
        ({"conversations": []}, "conversations"),
        ({"conversations": ["text"]}, "conversations"),
        ({"conversations": [{"from": "robot", "value": "a"}]}, "conversations"),
        ({"conversations": [{"from": ["human"], "value": "a"}]}, "conversations"),
        ({"conversations": [{"from": "human"}]}, "value"),
        (
            {"conversations": [{"from": "human", "value": "<image>\nq"}, {"from": "gpt", "value": "one"}]},
            "conversations",
        ),
        ({"conversations": [USER, {"from": "gpt", "value": ["one"]}]}, "conversations"),
        ({"conversations": [USER, {"from": "gpt", "value": ["one", 2]}]}, "conversations"),
        ({"conversations": [USER, {"from": "gpt", "value": ["A", "B"]}]}, "conversations"),
        ({"conversations": [USER, USER]}, "prompt"),
        ({"conversations": [{"from": "human", "value": "no tag"}]}, "images"),
        ({"image": None}, "images"),
        ({"image": ["kite", "kite"]}, "images"),
        ({"image": [7]}, "image"),
        ({"image": {"name": "kite"}}, "image"),
        ({"image": "../kite"}, "image"),
        ({"chosen": None}, "chosen"),
        ({"chosen": ["A"]}, "chosen"),
        ({"rejected": " "}, "rejected"),
        ({"rejected": "see <image>"}, "rejected"),
        ({"rejected": "A "}, "rejected"),
        ({"chosen": LONE}, "chosen"),
        ({"score": LONE}, "score"),
        ({LONE: 1}, "half \\ud800"),
    ],
    "trl": [
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["text"]}, "prompt"),
        ({"prompt": [{"role": "robot", "content": "a"}]}, "prompt"),
        ({"prompt": [{"role": ["user"], "content": "a"}]}, "prompt"),
        ({"prompt": [{"role": "user", "content": 7}]}, "prompt"),
        ({"prompt": [{"role": "user", "content": [{"type": "video"}]}]}, "prompt"),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": None}]}]}, "prompt"),
        ({"prompt": "what is <image>?"}, "prompt"),
        ({"prompt": [{"role": "user", "content": [{"type": "text", "text": "no part"}]}]}, "images"),
        ({"prompt": [*TURNS, {"role": "assistant", "content": "a"}]}, "prompt"),
        ({"prompt": None, "chosen": TURNS * 2, "rejected": [*TURNS, {"role": "assistant", "content": "B"}]}, "chosen"),
        ({"prompt": None, "chosen": [{"role": "user", "content": "x"}, *TURNS], "rejected": TURNS * 2}, "prompt"),
        ({"chosen": None}, "chosen"),
        ({"chosen": ""}, "chosen"),
        ({"chosen": [{"role": "user", "content": "a"}]}, "chosen"),
        ({"rejected": "A"}, "rejected"),
        ({"rejected": [{"role": "assistant", "content": "a"}] * 2}, "rejected"),
        ({"images": []}, "images"),
        ({"images": ["nowhere"]}, "image"),
        ({"images": ["data:image/png;base64,%%%"]}, "images"),
        ({"images": [{"bytes": "not base64", "path": None}]}, "images"),
        ({"images": [{"path": 7}]}, "images"),
        ({"images": [{"bytes": None, "path": None}]}, "images"),
        ({"images": [7]}, "images"),
        ({"images": [{"bytes": "aGVsbG8=", "path": "kite"}]}, "image"),
        ({"score": LONE}, "score"),
    ],
    "mmsafe-po": [
        ({"id": None}, "id"),
        ({"id": 1.5}, "id"),
        ({"id": True}, "id"),
        ({"question": "USER: What? ASSISTANT:"}, "question"),
        ({"question": "USER: <image>\nWhat?"}, "question"),
        ({"question": "Hm. USER: <image>\nWhat? ASSISTANT:"}, "question"),
        ({"question": "USER: <image>\na ASSISTANT: ASSISTANT:"}, "question"),
        ({"question": "USER: <image>\na ASSISTANT:  USER: b ASSISTANT:"}, "prompt"),
        ({"question": "USER: a ASSISTANT: b USER:  ASSISTANT: <image>"}, "question"),
        ({"text_prompt": 5}, "text_prompt"),
        ({"text_prompt": "What?"}, "text_prompt"),
        ({"text_prompt": "USER: <image>\nWhat? ASSISTANT:"}, "text_prompt"),
        ({"entity": ["kite"]}, "entity"),
        ({"entity_type": 5}, "entity_type"),
        ({"replacement": {}}, "replacement"),
        ({"chosen": "ASSISTANT: <image> "}, "chosen"),
        ({"chosen": "ASSISTANT:A"}, "chosen"),
        ({"image": "nowhere"}, "image"),
        ({"mid_prompt": LONE}, "mid_prompt"),
    ],
}
CASES = [(name, change, field) for name, cases in BAD.items() for change, field in cases]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "kite").write_bytes(draw("kite"))
    return folder


@pytest.mark.parametrize(("name", "change", "field"), CASES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(CASES)])
def test_a_bad_record_is_named_and_alone(
    name: str, change: dict[str, Any], field: str, tmp_path: Path, images: Path
) -> None:
    good = [{"id": number, **GOOD[name]} for number in (1, 2, 3)]
    (tmp_path / "rows.json").write_text(json.dumps([good[0], {**good[1], **change}, good[2]]))
    summary = import_data(name, tmp_path / "rows.json", tmp_path / "data", images=images)
    assert (summary.read, summary.kept, summary.rejected) == (3, 2, 1)
    reject = json.loads((tmp_path / "data" / "rejects.jsonl").read_text())
    assert (reject["field"], reject["stage"]) == (field, "import") and len(reject["reason"]) > 10
    assert reject["row_id"] in {f"{name}-2", f"{name}-record-1"}
    assert [row.row_id for row in read_rows(tmp_path / "data")] == [f"{name}-1", f"{name}-3"]


@pytest.mark.parametrize("name", GOOD)
def test_records_that_are_no_objects_are_numbered(name: str, tmp_path: Path, images: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([7, None, "x", [], {"id": 1, **GOOD[name]}]))
    summary = import_data(name, tmp_path / "rows.json", tmp_path / "data", images=images)
    assert (summary.kept, summary.rejected) == (1, 4)


@pytest.mark.parametrize("name", GOOD)
def test_without_a_folder_of_images_the_reason_says_so(name: str, tmp_path: Path) -> None:
    text = {
        "llava": {"conversations": [{"from": "human", "value": "q"}], "image": None},
        "trl": {"prompt": "q", "images": []},
    }
    records = [{"id": 1, **GOOD[name]}, {"id": 2, **GOOD[name], **text.get(name, {"image": "/etc/passwd"})}]
    (tmp_path / "rows.json").write_text(json.dumps(records))
    if name in text:
        assert import_data(name, tmp_path / "rows.json", tmp_path / "data").kept == 1
        assert "--images" in (tmp_path / "data" / "rejects.jsonl").read_text()
