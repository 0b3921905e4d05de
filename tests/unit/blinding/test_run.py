"""The blind stage end to end on the tiny model: rows out as in, views, a kill in the middle, bad rows."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.folder_bytes import contents
from tests.unit.blinding.rows import row

from blindpo.answer.local import LocalAnswers
from blindpo.blinding import run as module
from blindpo.blinding.checks import BlindSummary, lines
from blindpo.blinding.config import BlindConfig
from blindpo.blinding.run import run_blind
from blindpo.cli.main import main
from blindpo.errors import ConfigError, NothingKeptError, OutputError
from blindpo.models.vlm.generate import Answer, Request
from blindpo.models.vlm.load import Vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.shards import read_rows, write_shard
from blindpo.rows.view_names import BLIND_VIEWS

QUICK = BlindConfig(max_new_tokens=4, shard_rows=2, batch_size=8)


def blind(config: BlindConfig, data: Path, vlm: Vlm, out: Path) -> None:
    assert vlm.source is not None
    run_blind(config, data, LocalAnswers(vlm.source, config, vlm=vlm), out)


@pytest.mark.parametrize("view", BLIND_VIEWS)
def test_every_view_appends_responses_and_changes_nothing_else(
    view: str, data: Path, tiny_vlm: Vlm, tmp_path: Path
) -> None:
    config = BlindConfig(view=view, draws=2, max_new_tokens=4, shard_rows=2)  # type: ignore[arg-type]
    blind(config, data, tiny_vlm, tmp_path / "out")
    for before, after in zip(read_rows(data), read_rows(tmp_path / "out"), strict=True):
        assert (after.prompt, after.images, after.chosen) == (before.prompt, before.images, before.chosen)
        assert [(made.view, made.draw) for made in after.blind] == [(view, 0), (view, 1)]
        assert {made.model for made in after.blind} == {tiny_vlm.fingerprint}


def test_a_second_pass_appends_new_draws(data: Path, tiny_vlm: Vlm, tmp_path: Path) -> None:
    blind(QUICK, data, tiny_vlm, tmp_path / "one")
    blind(QUICK, tmp_path / "one", tiny_vlm, tmp_path / "two")
    for before, after in zip(read_rows(tmp_path / "one"), read_rows(tmp_path / "two"), strict=True):
        assert after.blind[:1] == before.blind
        assert [made.draw for made in after.blind] == [0, 1]


def test_a_thought_is_cut_off_and_counted(
    data: Path, tiny_vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(vlm: Vlm, requests: list[Request], config: BlindConfig, **_: object) -> list[Answer | None]:
        return [Answer(text="a ball", cut=False, num_tokens=9, thought="hm") for _ in requests]

    monkeypatch.setattr("blindpo.answer.local.generate", generate)
    blind(QUICK, data, tiny_vlm, tmp_path / "out")
    assert {answer.text for row in read_rows(tmp_path / "out") for answer in row.blind} == {"a ball"}
    summary = BlindSummary(**json.loads((tmp_path / "out/manifest.json").read_text())["summary"])
    assert summary.thoughts == 5 and "thoughts cut off       5" in list(lines(summary))


def test_killed_in_the_middle_the_same_command_ends_with_the_same_bytes(
    data: Path, tiny_vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind(QUICK, data, tiny_vlm, tmp_path / "whole")
    whole, calls = module._BlindWork.__call__, []

    def killed(self: module._BlindWork, number: int) -> module.ShardResult:
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, number)

    monkeypatch.setattr(module._BlindWork, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        blind(QUICK, data, tiny_vlm, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()
    blind(QUICK, data, tiny_vlm, tmp_path / "out")
    assert calls == [0, 1, 1, 2]
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    blind(QUICK, data, tiny_vlm, tmp_path / "out")  # finished: nothing is made again
    assert calls == [0, 1, 1, 2]
    with pytest.raises(OutputError, match="config"):
        blind(BlindConfig(view="as_is"), data, tiny_vlm, tmp_path / "out")


def test_kill_9_and_the_same_command_give_the_same_bytes(
    data: Path, tiny_folder: Path, tiny_vlm: Vlm, tmp_path: Path
) -> None:
    config = BlindConfig(max_new_tokens=4, shard_rows=1, batch_size=1)
    blind(config, data, tiny_vlm, tmp_path / "whole")
    out = tmp_path / "out"
    words = [sys.executable, "-m", "blindpo", "blind", str(data), "--model", str(tiny_folder), "--out", str(out)]
    words += ["--max-new-tokens", "4", "--batch-size", "1", "--set", "shard_rows=1"]
    first = out / ".work" / "counts-00000.json"
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not first.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
    assert first.exists() or (out / "manifest.json").exists()
    blind(config, data, tiny_vlm, out)
    assert contents(out) == contents(tmp_path / "whole")


def test_a_row_that_cannot_be_encoded_is_rejected_and_the_others_kept(tiny_vlm: Vlm, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_shard(data / "rows-00000.parquet", [row(0, "an <image> ?"), row(1)])
    blind(QUICK, data, tiny_vlm, tmp_path / "out")
    assert [kept.row_id for kept in read_rows(tmp_path / "out")] == ["r1"]
    assert '"row_id": "r0"' in (tmp_path / "out" / "rejects.jsonl").read_text()
    with pytest.raises(NothingKeptError):  # the one row left has nobody to swap with
        blind(BlindConfig(view="swapped"), tmp_path / "out", tiny_vlm, tmp_path / "swapped")


def test_draws_without_temperature_are_refused() -> None:
    with pytest.raises(ConfigError, match="temperature"):
        BlindConfig(draws=2, temperature=0.0)
    with pytest.raises(ConfigError, match="at least 1"):
        BlindConfig(draws=0)


def test_the_command_prints_json_alone(
    data: Path, tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["blind", str(data), "--model", str(tiny_folder), "--out", str(tmp_path / "out")]
    assert main([*words, "--max-new-tokens", "3", "--set", "shard_rows=3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["rows"] == 5
    assert printed["logp_per_token_with_image"] < 0
    assert main([*words, "--set", "no_such=1"]) == 2
    assert main([words[0], words[1], "--model", "nowhere", "--out", str(tmp_path / "new")]) == 2
    assert resolve_model(tiny_folder).path == tiny_folder
