"""The command line's frame: exit statuses, one paragraph for a wrong word, and nothing heavy for --help."""

import subprocess
import sys

import pytest

from blindpo.cli import main as cli
from blindpo.errors import NothingKeptError, UsageError

TRAIN = ["train", "d", "--model", "m", "--out", "o"]


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from blindpo.cli.main import main
main(["--help"])
print([m for m in ("torch", "numpy", "transformers", "pyarrow", "PIL") if m in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in cli.COMMANDS)
    assert "(BPO), DPO or IPO" in shown


def test_no_word_at_all_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "usage: blindpo COMMAND" in capsys.readouterr().out


def test_an_unknown_command_is_named_with_the_closest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    shown = capsys.readouterr().err
    assert "'trian'" in shown and "Did you mean 'train'?" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("blindpo 0.")


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_an_unknown_option_is_a_status_2_in_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--no-such-option"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and "Traceback" not in shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([*TRAIN, "--learning-rat", "1e-6"], "--learning-rat: did you mean --learning-rate?"),
        ([*TRAIN, "--learning_rat=1e-6"], "--learning_rat: did you mean --learning_rate?"),
        (["export", "llava", "d", "--ot", "o"], "--ot: did you mean --out?"),
        (["export", "llava", "d", "--out", "o", "--zebra"], "unrecognized arguments: --zebra. See"),
    ],
)
def test_a_mistyped_option_is_named_with_the_closest_one(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "status"), [(UsageError("no"), 2), (NothingKeptError("none"), 1), (KeyboardInterrupt(), 130)]
)
def test_an_error_becomes_its_exit_status(raised: BaseException, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        __doc__ = "A command that fails."

        @staticmethod
        def add_arguments(parser: object) -> None: ...

        @staticmethod
        def run(args: object) -> int:
            raise raised

    monkeypatch.setattr(cli.importlib, "import_module", lambda name: Module)
    assert cli.main(["check"]) == status
