"""Evaluate from rows to measures with the tiny LLaVA: resumed, judged again, refused where it must be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.folder_bytes import contents
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.worlds import evaluate_local, row, save_rows

import blindpo.answer.local as stage
from blindpo.answer.local import processor_identity
from blindpo.answer.response import read_responses
from blindpo.errors import ConfigError, NothingKeptError, OutputError, SourceError
from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluation.eval_folder import link_files, load_eval
from blindpo.evaluation.run import rejudge
from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.logprobs import ResponseLogps, response_logps
from blindpo.models.vlm.prompt import collate, encode_prompt, encode_response
from blindpo.models.vlm.source import ModelSource, resolve_model
from blindpo.rows.row import IMAGE, Turn

CONFIG = EvaluateConfig(judge="oracle", max_new_tokens=4, shard_rows=4, num_draws=200)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return resolve_model(save_tiny_llava(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def vlm(source: ModelSource) -> Vlm:
    return load_vlm(source)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [row(number) for number in range(9)] + [row(11, text_prompt=None, chosen=None, rejected=None)]
    return save_rows(tmp_path_factory.mktemp("rows") / "data", rows)


def test_every_row_has_one_response_per_view_and_every_measure_its_n(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path
) -> None:
    found = evaluate_local(CONFIG, data, source, tmp_path / "eval", vlm=vlm)
    stored = load_eval(tmp_path / "eval")
    assert [(r.row_id, r.view) for r in stored.responses[:3]] == [("r0", "as_is"), ("r0", "text"), ("r1", "as_is")]
    assert (len(stored.responses), len(stored.verdicts)) == (19, 19)
    assert found.results["responses"]["as_is"]["total"] == 10
    assert {name: table.mean for name, table in stored.items().items()} == {
        name: measure["value"] for name, measure in found.measures.items()
    }
    assert found.measures["pairwise_accuracy"]["n"] == 9
    assert stored.manifest["identity"]["model"] == {"name": "tiny", "fingerprint": vlm.fingerprint}
    assert str(tmp_path) not in (tmp_path / "eval" / "manifest.json").read_text()


def test_stored_likelihoods_are_those_of_one_sequence_alone(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path
) -> None:
    evaluate_local(CONFIG, data, source, tmp_path / "eval", vlm=vlm)
    stored = read_responses(tmp_path / "eval" / "responses.jsonl")[0]
    own = row(0)
    prompt = encode_prompt(vlm.processor, own.prompt, [stage.decode_image(own.images[0].data)])
    ids = encode_response(vlm.processor, own.prompt, own.chosen or "")
    with torch.inference_mode():
        logps = response_logps(vlm.model, collate([prompt], [ids], pad_id=vlm.pad_id))
    assert stored.chosen_logp_per_token == pytest.approx(float(logps.sums_N[0]) / len(ids), abs=1e-5)


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_local(CONFIG, data, source, tmp_path / "whole", vlm=vlm)
    real, asked = stage.respond, []

    def stopping(*words: Any, **named: Any) -> Any:
        asked.append(len({ask.row.row_id for ask in words[1]}))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return real(*words, **named)

    monkeypatch.setattr(stage, "respond", stopping)
    with pytest.raises(KeyboardInterrupt):
        evaluate_local(CONFIG, data, source, tmp_path / "stopped", vlm=vlm)
    evaluate_local(CONFIG, data, source, tmp_path / "stopped", vlm=vlm)
    assert asked == [4, 4, 4, 2]
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_a_finished_run_is_told_and_another_one_refused(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path
) -> None:
    first = evaluate_local(CONFIG, data, source, tmp_path / "eval", vlm=vlm)
    again = evaluate_local(CONFIG, data, source, tmp_path / "eval", vlm=vlm)
    assert again.finished_before
    assert again.results == first.results
    with pytest.raises(OutputError, match="another run"):
        evaluate_local(replace(CONFIG, max_new_tokens=5), data, source, tmp_path / "eval", vlm=vlm)


def test_judging_again_asks_no_model_and_gives_the_same_measures(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path
) -> None:
    first = evaluate_local(CONFIG, data, source, tmp_path / "eval", vlm=vlm)
    rules = rejudge(tmp_path / "eval", RejudgeConfig(judge="refusal-rules"), tmp_path / "rules")
    assert rules.measures["helpfulness"] == {"value": None, "n": 0, "no_data": True, "missing": 5, "bounds": [0.0, 1.0]}
    back = rejudge(tmp_path / "rules", RejudgeConfig(judge="oracle", num_draws=200), tmp_path / "back")
    assert back.results == first.results
    assert rejudge(tmp_path / "rules", RejudgeConfig(judge="oracle", num_draws=200), tmp_path / "back").finished_before
    for name in ("responses.jsonl", "rows/rows-00000.parquet"):
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "eval" / name).read_bytes()


def test_only_a_finished_evaluation_can_be_judged_again(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no finished evaluation"):
        rejudge(data, RejudgeConfig(judge="oracle"), tmp_path / "out")


@pytest.mark.parametrize(
    ("rows", "words"),
    [([row(0), row(2, truth=None)], "r2 has no truth"), ([row(0), row(0)], "r0 occurs twice"), ([], "no row")],
)
def test_rows_that_cannot_be_judged_are_refused_before_anything_is_written(
    rows: list[Any], words: str, source: ModelSource, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=words):
        evaluate_local(CONFIG, save_rows(tmp_path / "data", rows), source, tmp_path / "eval")
    assert not (tmp_path / "eval").exists()


def test_a_response_that_cannot_be_had_is_counted_with_its_reason(
    source: ModelSource, vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked = row(2, prompt=(Turn(role="user", content=(IMAGE, "<image> ?")),))
    monkeypatch.setattr(stage, "generate", lambda _vlm, requests, _config, **_: [None] * len(requests))
    folder = save_rows(tmp_path / "data", [row(0), marked])
    with pytest.raises(NothingKeptError, match="blank response"):
        evaluate_local(CONFIG, folder, source, tmp_path / "eval", vlm=vlm)
    monkeypatch.undo()
    found = evaluate_local(CONFIG, folder, source, tmp_path / "other", vlm=vlm)
    assert list(found.results["responses"]["as_is"]["missing"].values()) == [1]
    assert (found.measures["safety_rate"]["n"], found.measures["safety_rate"]["missing"]) == (1, 1)
    assert found.measures["pairwise_accuracy"]["n"] == 1


def test_prompts_are_tokenized_once_for_all_models_of_a_processor(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache: stage.PromptCache = {}
    evaluate_local(CONFIG, data, source, tmp_path / "first", vlm=vlm, cache=cache)
    assert len(cache) == 19
    monkeypatch.setattr(stage, "encode_prompt", lambda *_: pytest.fail("tokenized again"))
    other = Vlm(vlm.model, vlm.processor, vlm.source, "another")
    evaluate_local(CONFIG, data, source, tmp_path / "second", vlm=other, cache=cache)
    assert (tmp_path / "first/responses.jsonl").read_bytes() == (tmp_path / "second/responses.jsonl").read_bytes()


def test_processors_that_tokenize_alike_have_one_identity(source: ModelSource, vlm: Vlm) -> None:
    assert processor_identity(load_vlm(source).processor) == processor_identity(vlm.processor)


def test_likelihoods_can_be_left_out(data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path) -> None:
    found = evaluate_local(replace(CONFIG, likelihoods=False), data, source, tmp_path / "eval", vlm=vlm)
    assert found.measures["pairwise_accuracy"] == {
        "value": None,
        "n": 0,
        "no_data": True,
        "missing": 9,
        "bounds": [0.0, 1.0],
    }


def test_a_likelihood_that_overflowed_is_missing_and_not_a_preference(
    data: Path, source: ModelSource, vlm: Vlm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflowing(_model: Any, batch: Any) -> ResponseLogps:
        size = len(batch.input_ids)
        return ResponseLogps(torch.full((size,), torch.nan), torch.ones(size, dtype=torch.long))

    monkeypatch.setattr(stage, "response_logps", overflowing)
    found = evaluate_local(CONFIG, data, source, tmp_path / "eval", vlm=vlm)
    assert found.measures["pairwise_accuracy"] == {
        "value": None,
        "n": 0,
        "no_data": True,
        "missing": 9,
        "bounds": [0.0, 1.0],
    }


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"judge": "gpt"}, "gpt"),
        ({"shard_rows": 0}, "shard_rows"),
        ({"num_draws": 5}, "num_draws"),
        ({"dtype": "int8"}, "dtype"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        replace(CONFIG, **changes)


@pytest.mark.parametrize(("line", "word"), [("{", "not JSON"), ('{"row": 1}', "other fields")])
def test_a_broken_file_of_responses_is_named(line: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with pytest.raises(SourceError, match="cannot be read"):
        read_responses(path)
    path.write_text(line + "\n")
    with pytest.raises(SourceError, match=word):
        read_responses(path)


def test_where_a_disk_has_no_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    (tmp_path / "a").write_text(json.dumps("x"))
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("os.link", refuse)
    link_files([tmp_path / "a"], tmp_path / "out")
    link_files([tmp_path / "a"], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
