"""Folders know whose they are, shards survive a kill, and a wrong key or value is named."""

import json
from pathlib import Path

import pytest
from tests.simple_rows import simple

from blindpo.errors import OutputError
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import Reject, ShardResult, Totals, run_sharded
from blindpo.rows.shards import read_rows


def work(number: int) -> ShardResult:
    reject = Reject(row_id=f"bad-{number}", field="image", reason="no image", stage="test")
    return ShardResult(rows=[simple(f"{number}")] if number != 1 else [], rejects=[reject], counts={"seen": 2})


def run(out: Path, make=work) -> Totals:
    folder = OutFolder(out, {"command": "test"})
    folder.begin()
    totals = run_sharded(folder, 3, make)
    folder.finish({"kept": totals.kept})
    return totals


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "timings.json"}


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    assert run(tmp_path / "whole") == Totals(2, 3, {"seen": 6})

    def killed(number: int) -> ShardResult:
        if number == 2:
            raise KeyboardInterrupt
        return work(number)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", killed)
    (tmp_path / "killed" / ".rows-00002.parquet.partial").write_bytes(b"half")
    redone = []
    run(tmp_path / "killed", lambda number: redone.append(number) or work(number))
    assert redone == [2]
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert [row.row_id for row in read_rows(tmp_path / "whole")] == ["0", "2"]


def test_a_folder_of_another_run_or_of_nobody_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "a")
    assert OutFolder(tmp_path / "a", {"command": "test"}).begin() == "done"
    with pytest.raises(OutputError, match="differs in: command"):
        OutFolder(tmp_path / "a", {"command": "other"}).begin()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="no run of blindpo wrote"):
        OutFolder(tmp_path / "b", {}).begin()
    with pytest.raises(OutputError, match="is a file"):
        OutFolder(tmp_path / "b" / "thesis.txt", {}).begin()
    with pytest.raises(OutputError, match="cannot be made"):
        OutFolder(tmp_path / "b" / "thesis.txt" / "deeper", {}).begin()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "manifest.json").write_text("[]")
    with pytest.raises(OutputError, match="differs in: everything"):
        OutFolder(tmp_path / "c", {}).begin()
    (tmp_path / "c" / "manifest.json").write_text("{half")
    with pytest.raises(OutputError, match="delete that folder and run the command again"):
        OutFolder(tmp_path / "c", {}).begin()


def test_a_refused_folder_says_which_inner_key_differs_and_how(tmp_path: Path) -> None:
    old = {"command": "blind", "config": {"max_new_tokens": 64, "seed": 42}, "data": {"rows": "a" * 64}}
    new = {
        "command": "blind",
        "config": {"max_new_tokens": 32, "seed": 42, "dtype": "auto"},
        "data": {"rows": "b" * 64},
    }
    OutFolder(tmp_path / "a", old).begin()
    with pytest.raises(OutputError) as caught:
        OutFolder(tmp_path / "a", new).begin()
    shown = str(caught.value)
    assert 'config.dtype: nothing -> "auto", config.max_new_tokens: 64 -> 32, data.rows: "aaa' in shown
    assert "seed" not in shown and "command" not in shown and "a" * 41 not in shown
    with pytest.raises(OutputError, match=", and 12 more"):
        OutFolder(tmp_path / "a", {**old, "config": {f"key{number}": 1 for number in range(18)}}).begin()


def test_a_finished_run_gives_its_manifest_back(tmp_path: Path) -> None:
    run(tmp_path / "a")
    manifest = OutFolder(tmp_path / "a", {"command": "test"}).manifest()
    assert manifest["kept"] == 2 and manifest["identity"] == {"command": "test"}
    assert not {"started", "finished"} & set(manifest)


def test_the_id_of_a_bad_row_may_hold_what_utf8_cannot(tmp_path: Path) -> None:
    bad = Reject(row_id="\ud800", field="row_id", reason="no character", stage="test")
    totals = run(tmp_path / "a", lambda number: ShardResult(rows=[], rejects=[bad]))
    lines = (tmp_path / "a" / "rejects.jsonl").read_text().splitlines()
    assert totals.rejected == len(lines) == 3
    assert json.loads(lines[0]) == {"row_id": "\ud800", "field": "row_id", "reason": "no character", "stage": "test"}
