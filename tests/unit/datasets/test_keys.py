"""Keys that an import does not use are said, for every format and for benchmarks, whatever way they read a record."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.datasets.benchmarks.downloads import WRITERS

from blindpo.cli.main import main
from blindpo.datasets.keys import SHOWN_KEYS, unused_words

DIALOGUE = "\n\nHuman: hi\n\nAssistant: "
TURNS = "USER: hi <image>\n ASSISTANT:"
RECORDS: dict[str, dict[str, Any]] = {
    "trl": {"id": 1, "prompt": "hi", "chosen": "a", "rejected": "b"},
    "llava": {"id": 1, "conversations": [{"from": "human", "value": "hi"}], "chosen": "a", "rejected": "b"},
    "hh-rlhf": {"chosen": f"{DIALOGUE}a", "rejected": f"{DIALOGUE}b"},
    "mmsafe-po": {
        "id": 1, "question": TURNS, "image": "red.png", "chosen": "ASSISTANT: a", "rejected": "ASSISTANT: b",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDS)
def test_a_format_says_which_keys_it_did_not_use(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [{**RECORDS[name], "score": 3, "lang": None}, {**RECORDS[name], "score": 4, "lang": "en"}]
    for number, record in enumerate(records):
        record |= {"id": number} if "id" in record else {}
    lines = name in ("trl", "hh-rlhf")
    source = tmp_path / ("rows.jsonl" if lines else "rows.json")
    source.write_text("".join(json.dumps(record) + "\n" for record in records) if lines else json.dumps(records))
    WRITERS["mmsafe-po-test"](tmp_path / "download")
    (tmp_path / "images").mkdir()
    picture = next((tmp_path / "download/images").iterdir())
    (tmp_path / "images/red.png").write_bytes(picture.read_bytes())
    words = ["import", name, str(source), "--images", str(tmp_path / "images"), "--out", str(tmp_path / "data")]
    assert main(words) == 0
    assert "not used: score 2, lang 1" in capsys.readouterr().out
    for _ in range(2):  # what is said of a finished folder comes from its manifest
        assert main([*words, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["not_used"] == {"score": 2, "lang": 1}


def test_a_benchmark_says_which_keys_it_did_not_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    WRITERS["xstest"](tmp_path / "download")
    (table,) = (tmp_path / "download").rglob("*.csv")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "mood"])
        writer.writeheader()
        writer.writerows({**row, "mood": "calm"} for row in rows)
    words = ["import", "xstest", str(tmp_path / "download"), "--out", str(tmp_path / "data")]
    assert main([*words, "--json"]) == 0
    not_used = json.loads(capsys.readouterr().out)["not_used"]
    assert not_used["mood"] == len(rows)
    assert not {"prompt", "type"} & set(not_used)
    assert main(words) == 0
    assert f"mood {len(rows)}" in capsys.readouterr().out


def test_a_record_in_parts_is_watched_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    WRITERS["siuo"](tmp_path / "download")
    (source,) = (tmp_path / "download").rglob("siuo_gen.json")
    source.write_text(json.dumps([{**record, "mood": "calm"} for record in json.loads(source.read_text())]))
    assert main(["import", "siuo", str(tmp_path / "download"), "--out", str(tmp_path / "data"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["not_used"]["mood"] == 2


def test_very_many_keys_are_counted_and_not_all_named() -> None:
    many = unused_words((f"key{number:02d}", 1) for number in range(SHOWN_KEYS + 3))
    assert "key00 1" in many and many.endswith("and 3 more keys") and many.count(" 1") == SHOWN_KEYS
    assert unused_words([]) == ""
