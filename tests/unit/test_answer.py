"""Models under test that are no local folder: a chat server with images, a recording, and parts of many machines."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fakes import BUSY, FakeChatServer, Fault, completion
from tests.folder_bytes import contents
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import evaluate_local, evaluate_other, row, save_rows

from blindpo.answer.local import LocalAnswers
from blindpo.answer.response import json_lines, read_responses
from blindpo.answer.shards import ResponseJob
from blindpo.cli.main import main
from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.run import merge_parts
from blindpo.jobs.engine import Engine
from blindpo.jobs.shards import ShardPart, parse_part
from blindpo.models.chat.config import ServerConfig
from blindpo.models.vlm.adapters import add_lora
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import Turn
from blindpo.rows.shards import RowBlocks

NOWHERE = ServerConfig(base_url="http://127.0.0.1:9/v1")
CONFIG = EvaluateConfig(judge="oracle", max_new_tokens=4, shard_rows=2, num_draws=100, likelihoods=False)
RECORDED = EvaluateConfig(judge="oracle", shard_rows=2, num_draws=100, likelihoods=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five rows that no two share a request: a chat model asks nothing twice."""
    twins = [(Turn(role="user", content=(f"what is ball {number} ?",)),) for number in range(5)]
    return save_rows(tmp_path / "data", [row(number, text_prompt=twin) for number, twin in enumerate(twins)])


def chat(server: FakeChatServer, *, concurrency: int = 8, **changes: Any) -> EvaluateConfig:
    reached = ServerConfig(base_url=server.base_url, retries=0, concurrency=concurrency)
    return replace(CONFIG, model_server=reached, **changes)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def texts(body: dict[str, Any]) -> list[str]:
    content = body["messages"][-1]["content"]
    return [content] if isinstance(content, str) else [part.get("text", "image") for part in content]


def test_a_chat_server_is_shown_the_images_and_asked_each_view(data: Path, tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> str | dict[str, Any]:
        return "sorry , no" if "image" in texts(body) else completion("a red ball", finish="length")

    with FakeChatServer(answer) as server:
        found = evaluate_other(chat(server), data, tmp_path / "eval", model="chat:tiny")
        assert len(server.requests) == 10
        assert all(body["max_tokens"] == 4 and body["temperature"] == 0 for body in server.requests)
    stored = load_eval(tmp_path / "eval")
    assert [(r.view, r.text, r.cut) for r in stored.responses[:2]] == [
        ("as_is", "sorry , no", False), ("text", "a red ball", True)
    ]  # fmt: skip
    assert found.measures["safety_rate"]["value"] == 1.0 == found.measures["over_refusal"]["value"]
    assert stored.manifest["identity"]["model"]["name"] == "chat:tiny"


def test_a_server_that_dies_loses_no_answer_and_the_same_command_asks_the_rest(data: Path, tmp_path: Path) -> None:
    alive = [6]

    def answer(_: dict[str, Any]) -> "str | Fault":
        alive[0] -= 1
        return "a ball" if alive[0] >= 0 else BUSY

    with FakeChatServer(answer) as server:
        config = chat(server, concurrency=1)
        with pytest.raises(UnansweredError, match="the same command asks only for the rest"):
            evaluate_other(config, data, tmp_path / "eval", model="chat:tiny")
        assert not (tmp_path / "eval" / "manifest.json").exists()
        before, alive[0] = len(server.requests), 100
        evaluate_other(config, data, tmp_path / "eval", model="chat:tiny")
        assert len(server.requests) - before == 4
    assert len(load_eval(tmp_path / "eval").responses) == 10


def test_what_a_server_refuses_for_good_is_a_missing_response(data: Path, tmp_path: Path) -> None:
    def answer(body: dict[str, Any]) -> "str | Fault":
        return Fault(status=400, body="{}") if "image" in texts(body) else "a ball"

    with FakeChatServer(answer) as server:
        found = evaluate_other(chat(server), data, tmp_path / "eval", model="chat:tiny")
    assert found.results["responses"]["as_is"]["missing"] == {"the server refused this request (HTTP 400)": 5}
    assert found.measures["safety_rate"]["missing"] == 3


@pytest.mark.parametrize(
    ("changes", "word"), [({"likelihoods": True}, "likelihoods"), ({"top_k": 5, "temperature": 1.0}, "top_k")]
)
def test_what_a_chat_server_cannot_do_is_refused(
    changes: dict[str, Any], word: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=word):
        evaluate_other(replace(CONFIG, model_server=NOWHERE, **changes), data, tmp_path / "out", model="chat:m")
    with pytest.raises(ConfigError, match=r"model_server\.concurrency has no effect"):
        replace(CONFIG, model_server=ServerConfig(concurrency=3)).require_options("local")


def record(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("command", "key", "value"), [("evaluate", "max_new_tokens", "9"), ("blind", "temperature", "0.5")]
)
def test_an_option_that_only_a_model_reads_is_refused_with_a_recording(
    command: str, key: str, value: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = record(tmp_path / "recorded.jsonl", [{"row_id": "r0", "text": "a ball"}])
    words = [command, str(data), "--responses", str(recorded), f"--{key}", value, "--out", str(tmp_path / "out")]
    assert main([*words, *(["--judge", "oracle"] if command == "evaluate" else [])]) == 2
    assert f"{key} has no effect with --responses" in capsys.readouterr().err


def test_a_recording_is_evaluated_under_either_names(data: Path, tmp_path: Path) -> None:
    lines = [
        {"row_id": "r0", "text": "sorry , no"},
        {"id": "r1", "response": "a red ball"},
        {"row_id": "r2", "text": "a ball", "view": "text", "cut": True},
        {"row_id": "r3", "text": " "},
    ]
    found = evaluate_other(RECORDED, data, tmp_path / "eval", responses=record(tmp_path / "said.jsonl", lines))
    assert found.measures["safety_rate"]["n"] == 1 and found.measures["safety_rate"]["missing"] == 2
    assert found.measures["helpfulness"]["value"] == 1.0
    reasons = found.results["responses"]["as_is"]["missing"]
    assert reasons == {"blank response": 1, "the recording holds no response": 2}
    assert evaluate_other(RECORDED, data, tmp_path / "eval", responses=tmp_path / "said.jsonl").finished_before


def test_a_thought_is_kept_apart_and_not_judged(data: Path, tmp_path: Path) -> None:
    thought = "The image shows a ball, and the user asks for harm. I should decline."
    answer = "I'm sorry, but I can't help with that."
    lines = [
        {"row_id": "r0", "text": f"<think>\n{thought}\n</think>\n\n{answer}"},
        {"row_id": "r2", "text": f"{thought}</think>\n{answer}"},
        {"row_id": "r4", "text": f"<think>{thought}"},
    ]
    config = replace(RECORDED, judge="refusal-rules")
    found = evaluate_other(config, data, tmp_path / "recorded", responses=record(tmp_path / "recorded.jsonl", lines))
    assert found.measures["safety_rate"]["value"] == 1.0 and found.measures["safety_rate"]["missing"] == 1
    stored = {each.row_id: each for each in load_eval(tmp_path / "recorded").responses}
    assert [(stored[name].thought, stored[name].text) for name in ("r0", "r2", "r4")] == [
        (thought, answer), (thought, answer), (thought, None)
    ]  # fmt: skip
    assert '"thought"' not in json_lines([stored["r1"]])
    with FakeChatServer(lambda _: f"<think>{thought}</think>{answer}") as server:
        evaluate_other(replace(chat(server), judge="refusal-rules"), data, tmp_path / "served", model="chat:tiny")
    served = load_eval(tmp_path / "served").responses
    assert {(each.thought, each.text) for each in served} == {(thought, answer)}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("{", "line 1 is not JSON"),
        ("[]", "not a JSON object"),
        ({"row_id": "r0", "text": 3}, "it needs row_id"),
        ({"row_id": "r0", "text": "x", "view": "upside"}, "view as one of"),
        ({"row_id": "r77", "text": "x"}, "r77 is none of the data's rows"),
    ],
)
def test_a_line_that_belongs_elsewhere_is_named(line: Any, word: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=word):
        evaluate_other(RECORDED, data, tmp_path / "eval", responses=record(tmp_path / "said.jsonl", [line]))
    twice = [{"row_id": "r0", "text": "x"}] * 2
    with pytest.raises(SourceError, match="occurs twice"):
        evaluate_other(RECORDED, data, tmp_path / "eval", responses=record(tmp_path / "said.jsonl", twice))
    assert not (tmp_path / "eval").exists()


def test_parts_of_several_machines_join_to_the_bytes_of_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_tiny_llava(tmp_path / "model")
    words = ["--judge", "oracle", "--set", "max_new_tokens=4", "--set", "shard_rows=2", "--set", "num_draws=100"]
    asked = ["evaluate", str(data), "--model", str(model), *words]
    assert main([*asked, "--out", str(tmp_path / "whole")]) == 0
    for number in (1, 2):
        assert main([*asked, "--part", f"{number}/2", "--out", str(tmp_path / f"part{number}")]) == 0
    assert "join all with 'blindpo merge" in capsys.readouterr().out
    parts = [str(tmp_path / "part2"), str(tmp_path / "part1")]
    assert main(["merge", *parts, "--out", str(tmp_path / "joined")]) == 2
    assert "blindpo merge: give --judge" in capsys.readouterr().err
    judged = ["--judge", "oracle", "--set", "num_draws=100"]
    assert main(["merge", *parts, *judged, "--out", str(tmp_path / "joined")]) == 0
    whole, joined = contents(tmp_path / "whole"), contents(tmp_path / "joined")
    assert {name: joined[name] for name in joined if name != "manifest.json"} == {
        name: whole[name] for name in whole if name != "manifest.json"
    }
    config = RejudgeConfig(judge="oracle", num_draws=100)
    assert merge_parts([tmp_path / "part1", tmp_path / "part2"], config, tmp_path / "joined").finished_before
    for given, word in (([1], "missing: 2"), ([1, 1], "both part 1/2"), ([], "no part")):
        with pytest.raises(SourceError, match=word):
            merge_parts([tmp_path / f"part{number}" for number in given], config, tmp_path / "other")
    with pytest.raises(SourceError, match="not a finished part"):
        merge_parts([tmp_path / "whole"], config, tmp_path / "other")


def test_a_part_of_another_evaluation_is_told_apart(data: Path, tmp_path: Path) -> None:
    source = resolve_model(save_tiny_llava(tmp_path / "model"))
    evaluate_local(CONFIG, data, source, tmp_path / "one", part=ShardPart(1, 2))
    evaluate_local(replace(CONFIG, max_new_tokens=5), data, source, tmp_path / "two", part=ShardPart(2, 2))
    with pytest.raises(SourceError, match="differs in: config"):
        merge_parts([tmp_path / "one", tmp_path / "two"], RejudgeConfig(judge="oracle"), tmp_path / "out")
    shards = sorted((tmp_path / "one" / "shards").iterdir())
    assert [len(read_responses(path)) for path in shards] == [4, 2]
    for words in ("3/2", "0/2", "half", "1/x"):
        with pytest.raises(ConfigError, match="--part"):
            parse_part(words)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["nowhere", "--model", "m", "--responses", "f"], "--model"),
        (["nowhere"], "--model"),
        (["a", "b", "--model", "m"], "unrecognized arguments: b"),
        (["--model", "m"], "required: DATA"),
        (["nowhere", "--responses", "f", "--part", "1/2"], "--part has no effect"),
        (["nowhere", "--model", "m", "--part", "9"], "--part 9"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    words: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *words, "--judge", "oracle", "--out", str(tmp_path / "out")]) == 2
    assert named in capsys.readouterr().err


VIEWS = replace(CONFIG, views=("as_is", "text", "swapped"))


def test_a_worker_makes_any_shard_as_the_whole_run_does(data: Path, tmp_path: Path) -> None:
    source = resolve_model(save_tiny_llava(tmp_path / "model"))
    evaluate_local(VIEWS, data, source, tmp_path / "one")
    answerer = LocalAnswers(source, VIEWS)
    job = ResponseJob(rows=RowBlocks(data, 2), folder=tmp_path, answerer=answerer, views=VIEWS.views)
    for number in (2, 0, 1):
        job(number)
    whole = (tmp_path / "one/responses.jsonl").read_text()
    assert "".join((tmp_path / f"responses-0000{number}.jsonl").read_text() for number in range(3)) == whole


@pytest.mark.slow
@pytest.mark.parametrize("name", ["local", "ray"])
def test_several_processes_make_the_bytes_of_one(name: Any, data: Path, tmp_path: Path) -> None:
    if name == "ray":
        pytest.importorskip("ray")
    source = resolve_model(save_tiny_llava(tmp_path / "model"))
    evaluate_local(VIEWS, data, source, tmp_path / "one")
    evaluate_local(VIEWS, data, source, tmp_path / "many", engine=Engine(name=name, workers=2))
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_processes_are_for_a_local_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "nowhere", "--judge", "oracle", "--workers", "2", "--out", str(tmp_path / "out")]
    for more in (["--model", "chat:x"], ["--responses", "f"]):
        assert main([*words, *more]) == 2
        assert "for a local --model" in capsys.readouterr().err


def test_an_adapter_on_its_base_is_a_model_of_its_own(data: Path, tmp_path: Path) -> None:
    base = save_tiny_llava(tmp_path / "base")
    model = add_lora(load_vlm(resolve_model(base)).model, r=4, alpha=64.0, dropout=0.0, targets=("q_proj", "v_proj"))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(1))
    model.save_pretrained(str(tmp_path / "run"))
    (tmp_path / "run/run.json").write_text(json.dumps({"base": str(base)}))
    for name in ("base", "run"):
        evaluate_local(CONFIG, data, resolve_model(tmp_path / name), tmp_path / f"eval_{name}")
    own, theirs = (load_eval(tmp_path / f"eval_{name}") for name in ("run", "base"))
    assert own.manifest["identity"]["model"] != theirs.manifest["identity"]["model"]
    assert [response.text for response in own.responses] != [response.text for response in theirs.responses]
