"""Blinding by whoever answers, wherever: workers, parts of several machines, a chat server, a recording."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import BUSY, FakeChatServer, Fault, completion
from tests.folder_bytes import contents, visible

from blindpo.answer.answerer import find_answerer
from blindpo.answer.chat import ChatAnswers
from blindpo.answer.local import LocalAnswers
from blindpo.blinding.config import BlindConfig
from blindpo.blinding.run import merge_blind, run_blind
from blindpo.cli.main import main
from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.jobs.shards import ShardPart
from blindpo.models.chat.config import ServerConfig
from blindpo.models.vlm.load import Vlm
from blindpo.rows.shards import read_rows

SAMPLED = BlindConfig(max_new_tokens=4, shard_rows=1, draws=2, batch_size=4)
WORDS = ["--max-new-tokens", "4", "--draws", "2", "--batch-size", "4", "--set", "shard_rows=1"]


@pytest.fixture
def whole(data: Path, tiny_vlm: Vlm, tmp_path: Path) -> dict[str, bytes]:
    """The files that one process leaves."""
    run_blind(SAMPLED, data, local(tiny_vlm), tmp_path / "whole")
    return contents(tmp_path / "whole")


def local(vlm: Vlm, config: BlindConfig = SAMPLED) -> LocalAnswers:
    assert vlm.source is not None
    return LocalAnswers(vlm.source, config, vlm=vlm)


def killed(words: list[str], first: Path) -> set[int]:
    """Run a command until the file `first` is there, then kill -9 it; which shards it had finished by then."""
    with subprocess.Popen([sys.executable, "-m", "blindpo", *words], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not first.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert first.exists()
    time.sleep(0.5)  # workers see that their parent is gone
    return {int(path.stem.removeprefix("counts-")) for path in first.parent.glob("counts-*.json")}


def test_workers_leave_the_bytes_of_one_process_killed_or_not(
    data: Path,
    whole: dict[str, bytes],
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    words = ["blind", str(data), "--model", str(tiny_folder), *WORDS, "--workers", "2", "--out", str(out)]
    finished = killed(words, out / ".work" / "counts-00001.json")
    kept = {path: path.stat().st_mtime_ns for path in (out / ".work").glob("counts-*.json")}
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # the state stays, so that it can be looked at
    assert main(words) == 0
    assert visible(out) == whole
    assert finished and {path: path.stat().st_mtime_ns for path in kept} == kept, "a finished shard was made again"


def test_parts_of_two_machines_joined_are_the_bytes_of_one(
    data: Path,
    whole: dict[str, bytes],
    tiny_folder: Path,
    tiny_vlm: Vlm,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two, out = tmp_path / "one", tmp_path / "two", tmp_path / "out"
    words = ["blind", str(data), "--model", str(tiny_folder), *WORDS, "--part", "1/2", "--out", str(one)]
    killed(words, one / "shards" / "counts-00000.json")
    run_blind(SAMPLED, data, local(tiny_vlm), one, part=ShardPart(1, 2))
    run_blind(SAMPLED, data, local(tiny_vlm), two, part=ShardPart(2, 2))
    with pytest.raises(SourceError, match="missing: 1"):
        merge_blind([two], out)
    with pytest.raises(SourceError, match="holds no rows"):
        list(read_rows(one))  # a part is never taken for the whole
    assert main(["merge", str(two), str(one), "--out", str(out)]) == 0
    assert "10 blind responses" in capsys.readouterr().out
    assert contents(out) == whole
    run_blind(SAMPLED, data, local(tiny_vlm), out)  # the whole run's own command takes it for its own
    assert contents(out) == whole
    for name in ("one", "two"):
        assert not (tmp_path / name / ".work").exists()


def test_a_join_that_is_killed_goes_on(
    data: Path,
    whole: dict[str, bytes],
    tiny_vlm: Vlm,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [tmp_path / str(number) for number in (1, 2, 3)]
    for number, path in enumerate(parts, start=1):
        run_blind(SAMPLED, data, local(tiny_vlm), path, part=ShardPart(number, 3))
    links, link = [], os.link

    def stopping(*paths: Any) -> None:
        links.append(paths)
        if len(links) == 5:
            raise KeyboardInterrupt
        link(*paths)

    monkeypatch.setattr("os.link", stopping)
    with pytest.raises(KeyboardInterrupt):
        merge_blind(parts, tmp_path / "out")
    merge_blind(parts, tmp_path / "out")
    assert contents(tmp_path / "out") == whole


@pytest.mark.slow
def test_ray_leaves_the_bytes_of_one_process(
    data: Path,
    whole: dict[str, bytes],
    tiny_folder: Path,
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray")
    words = ["blind", str(data), "--model", str(tiny_folder), *WORDS, "--engine", "ray", "--workers", "2"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert contents(tmp_path / "out") == whole


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def chat(server: FakeChatServer, out: Path, **changes: Any) -> tuple[BlindConfig, ChatAnswers]:
    reached = ServerConfig(base_url=server.base_url, retries=0, concurrency=1)
    config = BlindConfig(max_new_tokens=4, shard_rows=2, model_server=reached, **changes)
    return config, ChatAnswers(config, "tiny", work=out / ".work")


@pytest.mark.usefixtures("key")
def test_a_server_answers_without_the_image_and_says_who_it_is(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeChatServer(lambda _: completion("<think>hm</think>a ball", finish="length")) as server:
        config, answerer = chat(server, out)
        summary = run_blind(config, data, answerer, out)
        assert all(isinstance(body["messages"][-1]["content"], str) for body in server.requests)
    assert (summary.responses, summary.cut, summary.thoughts) == (5, 5, 5)
    assert (summary.logp_per_token_with_image, summary.mean_tokens) == (None, None)
    for after in read_rows(out):
        (response,) = after.blind
        assert (response.text, response.cut, response.temperature, response.seed) == ("a ball", True, 1.0, 42)
        assert (response.model, response.revision) == (answerer.fingerprint, "fake-2026")


@pytest.mark.usefixtures("key")
def test_a_server_that_dies_loses_no_answer_and_the_same_command_asks_the_rest(
    data: Path,
    tmp_path: Path,
) -> None:
    alive, out = [3], tmp_path / "out"

    def answer(_: dict[str, Any]) -> "str | Fault":
        alive[0] -= 1
        return "a ball" if alive[0] >= 0 else BUSY

    with FakeChatServer(answer) as server:
        config, _ = chat(server, out, view="as_is")
        with pytest.raises(UnansweredError, match="the same command asks only for the rest"):
            run_blind(config, data, chat(server, out, view="as_is")[1], out)
        assert not (out / "manifest.json").exists()
        before, alive[0] = len(server.requests), 100
        summary = run_blind(config, data, chat(server, out, view="as_is")[1], out)
        assert len(server.requests) == before + 2  # three of five were answered
    assert summary.responses == 5


def test_recorded_answers_are_taken_by_row_and_draw(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorded = tmp_path / "recorded.jsonl"
    lines: list[dict[str, Any]] = [{"row_id": f"r{number}", "text": f"ball {number}"} for number in range(4)]
    lines += [{"id": "r0", "response": "another ball", "draw": 1}, {"row_id": "r1", "text": " ", "draw": 1}]
    recorded.write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["blind", str(data), "--responses", str(recorded), "--draws", "2", "--out", str(tmp_path / "out")]
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["responses"], printed["blank_draws"], printed["without_blind"]) == (5, 1, 1)
    assert printed["missing"] == {"the recording holds no response": 4}
    assert printed["logp_per_token_with_image"] is None
    first, *_, last = read_rows(tmp_path / "out")
    assert [(each.text, each.draw, each.temperature, each.seed) for each in first.blind] == [
        ("ball 0", 0, None, None),
        ("another ball", 1, None, None),
    ]
    assert last.blind == ()
    assert main(words) == 0  # finished before
    assert "not available: only a local model can say" in capsys.readouterr().out
    recorded.write_text(recorded.read_text() + '{"row_id": "nobody", "text": "a ball"}\n')
    assert main([*words[:-1], str(tmp_path / "other")]) == 2
    assert "row nobody is none of the data's rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["d"], "give either --model"),
        (["d", "--model", "m", "--responses", "f"], "give either --model"),
        (["d", "e", "--model", "m"], "unrecognized arguments: e"),
        (["d", "--merge", "--part", "1/2"], "--merge is a command of its own now: blindpo merge PART"),
        (["d", "--responses", "f", "--part", "1/2"], "--part has no effect"),
        (["d", "--model", "chat:x", "--workers", "2"], "for a local --model"),
        (["d", "--model", "m", "--part", "9"], "--part 9"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["blind", *words, "--out", str(tmp_path / "out")]) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_options_of_a_server_are_for_a_server(data: Path, tiny_folder: Path, tmp_path: Path) -> None:
    config = BlindConfig(model_server=ServerConfig(base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(ConfigError, match=r"model_server\.base_url has no effect"):
        find_answerer(config, data, tmp_path / "out", model=str(tiny_folder))
