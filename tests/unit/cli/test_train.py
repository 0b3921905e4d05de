"""`blindpo train`: words before paths, one paragraph for a mistake, JSON alone on standard output."""

import json
from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, write_rows

from blindpo.cli.main import main


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["train", *words]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "ppo"], "method is 'ppo'; allowed: bpo, dpo"),
        (["--set", "lerning_rate=1"], "Did you mean 'learning_rate'"),
        (["--set", "beta=0"], "beta is 0.0; it must be above 0"),
        (["--output_dir", "x"], "'output_dir' is fixed: --out is the output folder"),
        (["--learning-rate", "fast"], "learning_rate is 'fast'; it must be a number"),
        (["--recipe", "nowhere.yaml"], "nowhere.yaml"),
        ([], "nowhere is not a folder"),
    ],
)
def test_a_mistake_is_told_in_one_paragraph(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in refused(capsys, "nowhere", "--model", "nomodel", "--out", "run", *words)


def test_help_leaves_out_what_only_launchers_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--local_rank" not in shown and "(default: False)" not in shown


def test_a_run_from_words_to_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = save_tiny_llava(tmp_path / "base")
    data = write_rows(tmp_path / "data", [row(0), row(1), row(2, rejected=None)])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("learning_rate: 1e-4\nmax_steps: 9\nsave_strategy: 'no'\n")
    words = ["train", str(data), "--model", str(base), "--out", str(tmp_path / "run"), "--eval", str(data)]
    words += ["--recipe", str(recipe), "--set", "max_steps=1", "--use_cpu", "--bf16", "false", "--strict", "--json"]
    capsys.readouterr()
    assert main(words) == 1  # --strict: one row is no pair
    said = capsys.readouterr()
    printed = json.loads(said.out)
    shared = "2 of 2 evaluation rows are training rows"
    assert f"WARNING: {shared}" in said.err and printed["counts"]["eval_training_rows"] == 2
    assert printed["warnings"][0].startswith(shared) and shared in (tmp_path / "run/README.md").read_text()
    assert (printed["state"], printed["steps"], printed["counts"]["rejected"]) == ("new", 1, 1)
    assert printed["final"]["learning_rate"] < 1e-4 and "eval_rewards/blind_accuracies" in printed["final"]
    assert main([*words[:-2]]) == 0
    assert "was finished before; nothing was done" in capsys.readouterr().out
    rows = write_rows(tmp_path / "rows", [row(0, row_id="other", chosen=None), row(7)])
    words = ["evaluate", str(rows), "--model", str(tmp_path / "run"), "--judge", "refusal-rules"]
    assert main([*words, "--out", str(tmp_path / "eval"), "--set", "max_new_tokens=4"]) == 0
    shared = "1 of 2 evaluation rows are training rows"
    assert f"WARNING: {shared}" in capsys.readouterr().out
    again = ["rejudge", str(tmp_path / "eval"), "--judge", "refusal-rules", "--json"]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0
    assert json.loads(capsys.readouterr().out)["training_rows"] == 1
    page = tmp_path / "page.html"
    assert main(["report", str(tmp_path / "eval"), str(tmp_path / "run"), "--out", str(page)]) == 0
    assert f"run: {shared}" in page.read_text() and "2 of 2 evaluation rows are training rows" in page.read_text()
    assert main(["train", str(data), "--model", str(base / "none"), "--out", "x"]) == 2


def test_a_flag_a_recipe_and_set_describe_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, data = save_tiny_llava(tmp_path / "base"), write_rows(tmp_path / "data", [row(0), row(1)])
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("max_steps: 1\nuse_cpu: true\nsave_strategy: no\nlearning_rate: 0.0001\n")
    words = ["train", str(data), "--model", str(base), "--out", str(tmp_path / "run")]
    flags = ["--max_steps", "1", "--use_cpu", "--save_strategy", "no", "--learning_rate", "1e-4"]
    sets = ["--set", "max_steps=1", "--set", "use_cpu=true", "--set", "save_strategy=no", "--set", "learning_rate=1e-4"]
    assert main([*words, *flags]) == 0
    assert json.loads((tmp_path / "run/run.json").read_text())["arguments"]["max_steps"] == 1
    for same in (["--recipe", str(recipe)], sets):
        capsys.readouterr()
        assert main([*words, *same]) == 0
        assert "was finished before" in capsys.readouterr().out


def test_bpo_on_rows_without_any_blind_response_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, out = save_tiny_llava(tmp_path / "base"), tmp_path / "run"
    words = ["--model", str(base), "--max_steps", "1", "--use_cpu", "--save_strategy", "no", "--out", str(out)]
    none = write_rows(tmp_path / "none", [row(0, blind=()), row(1, blind=())])
    assert main(["train", str(none), *words]) == 2
    error = capsys.readouterr().err
    assert "none of the 2 rows" in error and "'blindpo blind'" in error and "--method dpo" in error
    assert not out.exists()
    assert main(["train", str(none), *words, "--method", "dpo"]) == 0
    assert "2 without a blind response" in capsys.readouterr().out


def test_bpo_says_how_many_rows_have_no_blind_response(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base, out = save_tiny_llava(tmp_path / "base"), tmp_path / "run"
    words = ["--model", str(base), "--max_steps", "1", "--use_cpu", "--save_strategy", "no"]
    some = write_rows(tmp_path / "some", [row(0, blind=()), row(1)])
    assert main(["train", str(some), *words, "--out", str(out)]) == 0
    warning = "1 of 2 rows have no blind response"
    printed = capsys.readouterr()
    assert f"WARNING: {warning}" in printed.err and f"WARNING: {warning}" in printed.out
    assert f"Warning: {warning}" in (out / "README.md").read_text()
    # the only row with one is too long
    lost = write_rows(tmp_path / "lost", [row(0, blind=()), row(1, chosen="a " * 60)])
    short = ["--max_length", "100", "--out", str(tmp_path / "lost_run")]
    assert main(["train", str(lost), *words, *short]) == 2
    assert "none of the 1 rows" in capsys.readouterr().err
