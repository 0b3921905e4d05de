"""Folders that blindpo 0.1 wrote are read: its names of views are today's under other words.

`tests/data/folders_of_0_1` was written by commit 1145fd5: `data/` by `blind` under its five modes, `eval/` by
`evaluate` under all of its views, `probes.jsonl` by `train`. `eval_swapped.json` holds the hashes of the images that
this evaluation showed under `swapped`.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_models import save_tiny_llava
from tests.training_rows import run_training

from blindpo.answer.views import shown_row
from blindpo.cli.main import main
from blindpo.errors import OutputError, SourceError
from blindpo.evaluation.eval_folder import load_eval
from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import ShardFolder, ShardPart, join_parts
from blindpo.rows.shards import read_rows
from blindpo.rows.view_names import VIEWS
from blindpo.training.monitor.image_use import probe_figures

OLD = Path(__file__).parents[1] / "data/folders_of_0_1"
IMAGES_OF_TWO = 2


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy, so that no command can touch the original."""
    return Path(shutil.copytree(OLD, tmp_path / "old"))


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(words) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def test_the_folders_are_those_of_the_old_version() -> None:
    for name in ("data", "eval"):
        assert "schema_version" not in json.loads((OLD / name / "manifest.json").read_text())
    assert '"view": "mid"' in (OLD / "eval/responses.jsonl").read_text()
    assert b"mode" in (OLD / "data/rows-00000.parquet").read_bytes()


def test_blind_responses_have_their_view(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in read_rows(old / "data"):
        assert {answer.view for answer in row.blind} <= {"removed", "blank", "noise", "swapped", "as_is"}
    counts = printed(["stats", str(old / "data"), "--json"], capsys)
    assert set(counts["blind_mode"]) == {"removed", "blank", "noise", "swapped", "as_is"}
    assert printed(["check", str(old / "data"), "--json"], capsys)["rows"] == 4


def test_more_blind_responses_make_a_folder_of_today(old: Path, tmp_path: Path) -> None:
    recording = tmp_path / "answers.jsonl"
    ids = [row.row_id for row in read_rows(old / "data")]
    recording.write_text("".join(json.dumps({"row_id": name, "view": "remove", "text": "x"}) + "\n" for name in ids))
    assert main(["blind", str(old / "data"), "--responses", str(recording), "--out", str(tmp_path / "new")]) == 0
    for before, after in zip(read_rows(old / "data"), read_rows(tmp_path / "new"), strict=True):
        assert after.blind[:-1] == before.blind and (after.blind[-1].view, after.blind[-1].text) == ("removed", "x")
    assert json.loads((tmp_path / "new/manifest.json").read_text())["schema_version"] == 2


def test_old_rows_are_trained_on_and_exported(old: Path, tmp_path: Path) -> None:
    base = save_tiny_llava(tmp_path / "base")
    summary = run_training(base, old / "data", tmp_path / "run", max_steps=1)
    assert summary.counts["kept"] == 4
    assert main(["export", "trl", str(old / "data"), "--out", str(tmp_path / "out.parquet")]) == 0
    again = tmp_path / "again"
    assert main(["import", "trl", str(tmp_path / "out.parquet"), "--out", str(again)]) == 0
    assert [row.blind for row in read_rows(again)] == [row.blind for row in read_rows(old / "data")]


def test_an_old_evaluation_is_judged_again_and_reported(old: Path, tmp_path: Path) -> None:
    stored = load_eval(old / "eval")
    assert {each.view for each in stored.responses} == {each.view for each in stored.verdicts} == set(VIEWS) - {"noise"}
    new = tmp_path / "again"
    words = ["rejudge", str(old / "eval"), "--judge", "refusal-rules", "--set", "num_draws=100"]
    assert main([*words, "--out", str(new)]) == 0
    results = load_eval(new).results
    assert results["measures"] == stored.results["measures"] and results["responses"] == stored.results["responses"]
    assert main(["report", str(old / "eval"), str(new), "--out", str(tmp_path / "report.html")]) == 0


def test_a_judge_sees_the_images_that_the_old_version_showed(old: Path, tmp_path: Path) -> None:
    shown = json.loads((old / "eval_swapped.json").read_text())
    words = ["rejudge", str(old / "eval"), "--judge", "none", "--out"]
    assert main([*words, str(tmp_path / "one")]) == 0
    assert main([words[0], str(tmp_path / "one"), *words[2:], str(tmp_path / "two")]) == 0
    for folder in (old / "eval", tmp_path / "one", tmp_path / "two"):
        stored = load_eval(folder)
        for row in read_rows(stored.rows):
            images = shown_row(row, "swapped", stored.images()).images
            assert [image.sha256 for image in images] == shown[row.row_id]
        safe = shown_row(list(read_rows(stored.rows))[-1], "safe_image", stored.images()).images
        assert len(safe) == IMAGES_OF_TWO and safe[0] == safe[1]


def test_old_probes_are_read(old: Path) -> None:
    records = [json.loads(line) for line in (old / "probes.jsonl").read_text().splitlines()]
    figures = probe_figures(records[-1])
    assert set(figures) == {
        "probe/chosen_as_is", "probe/chosen_removed", "probe/chosen_swapped",
        "probe/changed_removed", "probe/changed_swapped",
    }  # fmt: skip
    assert figures["probe/chosen_removed"] == records[-1]["probe/chosen_without_image"]


def test_what_an_old_version_left_half_done_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = OutFolder(tmp_path / "out", {"command": "evaluate"})
    folder.begin()
    record = folder.work / "run.json"
    record.write_text(json.dumps({"identity": {"command": "evaluate"}}))
    with pytest.raises(OutputError, match="schema_version: 1 -> 2"):
        OutFolder(tmp_path / "out", {"command": "evaluate"}).begin()


def test_parts_of_two_versions_are_not_joined(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = ShardFolder(tmp_path / str(number), {"command": "evaluate"}, ShardPart(number, 2))
        folder.begin()
        assert folder.shards.is_dir()
        folder.finish_part(2)
    parts = [tmp_path / "1", tmp_path / "2"]
    assert join_parts(parts, "evaluate").identity == {"command": "evaluate"}
    manifest = json.loads((parts[1] / "manifest.json").read_text())
    del manifest["schema_version"]
    (parts[1] / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SourceError, match="schema_version: 2 -> 1"):
        join_parts(parts, "evaluate")


def test_a_folder_of_a_newer_version_is_refused(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = old / "data/manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 3}))
    assert main(["check", str(old / "data")]) == 2
    assert "newer blindpo (schema_version 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["blind", "DATA", "--model", "M", "--view", "remove"], "'remove' is now called 'removed'"),
        (["blind", "DATA", "--model", "M", "--set", "view=swap"], "'swap' is now called 'swapped'"),
        (["evaluate", "DATA", "--model", "M", "--judge", "none", "--set", "views=as_is,mid"], "now called 'deictic'"),
    ],
)
def test_old_names_on_the_command_line_are_refused(
    words: list[str], hint: str, old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(old / "data") if word == "DATA" else word for word in words]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert hint in capsys.readouterr().err
