"""Check counts tokens as training will, decodes each image once, and names what is wrong without changing a byte."""

import json
from pathlib import Path

import pytest
from tests.sample import write_sample
from tests.simple_rows import simple
from tests.tiny_models import save_tiny_llava

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.images.decode import decode_image
from blindpo.intake import check as checking
from blindpo.models.vlm.load import load_processor
from blindpo.models.vlm.prompt import encode_prompt, encode_response
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, BlindResponse, ImageRef, Turn
from blindpo.rows.shards import read_rows, shard_name, write_shard


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sample = write_sample(tmp_path / "sample")
    import_data("mmsafe-po", sample / "test.json", tmp_path / "data", images=sample / "images")
    return tmp_path / "data"


def test_lengths_are_those_of_training(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    assert main(["check", str(data), "--model", str(model), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    processor = load_processor(resolve_model(model))
    expected = {}
    for row in read_rows(data):
        prompt = encode_prompt(processor, row.prompt, [decode_image(image.data) for image in row.images])
        answers = [len(encode_response(processor, row.prompt, text)) for text in (row.chosen, row.rejected)]
        expected[row.row_id] = len(prompt.input_ids) + max(answers)
    assert shown["lengths"] == expected and (shown["rows"], shown["sound"]) == (12, 12)
    assert {path.name: path.read_bytes() for path in data.iterdir()} == before

    limit = sorted(expected.values())[-2]
    words = ["check", str(data), "--model", str(model), "--max-length", str(limit)]
    assert main(words) == 0
    over = [row_id for row_id, length in expected.items() if length > limit]
    shown = capsys.readouterr().out
    assert f"over the limit: {over[0]} " in shown and len(over) == 1
    assert "1 of 12 rows are over the limit" in shown
    assert main([*words, "--strict"]) == 1


def test_a_cut_response_has_no_end_of_turn(tmp_path: Path, model: Path) -> None:
    fields = {"text": "a long blind answer", "model": "m", "temperature": 0.0, "max_new_tokens": 5, "seed": 1}
    rows = [simple(str(cut), blind=(BlindResponse(**fields, cut=bool(cut)),)) for cut in (0, 1)]
    write_rows(tmp_path / "data", rows)
    lengths = checking.check_data(tmp_path / "data", model=resolve_model(model)).lengths
    assert lengths["0"] == lengths["1"] + 1


def test_a_text_that_the_model_takes_for_an_image_is_a_finding(tmp_path: Path, model: Path) -> None:
    turn = Turn(role="user", content=(IMAGE, "what is <image>?"))
    write_rows(tmp_path / "data", [simple("1"), simple("2", prompt=(turn,))])
    summary = checking.check_data(tmp_path / "data", model=resolve_model(model))
    assert [(f.row_id, f.field, f.invariant) for f in summary.findings] == [("2", "prompt", "tokens")]
    assert list(summary.lengths) == ["1"]


def test_an_image_is_decoded_once_and_a_bad_one_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(checking, "decode_image", lambda data: calls.append(data) or decode_image(data))
    bad = simple("3", images=(ImageRef(data=b"<html>"),))
    write_rows(tmp_path / "data", [simple("1"), simple("2"), bad])
    summary = checking.check_data(tmp_path / "data")
    assert len(calls) == 2
    assert [(f.row_id, f.field) for f in summary.findings] == [("3", "images")] and summary.sound == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-length", "0", "--model", "m"], "--max-length is 0"),
        (["--max-length", "9"], "no effect without --model"),
    ],
)
def test_words_are_checked_before_paths(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere", *words]) == 2
    assert message in capsys.readouterr().err


def test_paths_in_order(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "nowhere", "--model", "neither"]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert main(["check", str(data), "--model", str(data)]) == 2


def test_no_sound_row_is_status_1(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", [simple("1", chosen=" ")])
    assert main(["check", str(tmp_path / "data")]) == 1


def write_rows(folder: Path, rows: list) -> None:
    folder.mkdir()
    write_shard(folder / shard_name(0), rows)


def test_check_and_stats_name_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    write_shard(data / shard_name(0), [simple("1"), simple("2", rejected="a red card"), simple("1")])
    assert main(["check", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "1 of 3 rows are sound" in shown and "2: rejected:" in shown and "another row has this id" in shown
    assert main(["check", str(data), "--strict"]) == 1
    capsys.readouterr()
    assert main(["stats", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
