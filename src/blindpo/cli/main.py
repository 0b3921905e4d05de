"""`blindpo COMMAND ...`: the table of commands, and the one place where an error becomes an exit status.

Only the chosen command's module is imported, and those import what is heavy when they run: `blindpo --help` must
answer at once. Exit status: 0 done; 1 no row kept, or a reject under --strict; 2 the command line or the source is
wrong, or --out holds another run; 130 on Ctrl-C.
"""

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

from blindpo import __version__
from blindpo.errors import BlindpoError, ConfigError
from blindpo.jobs.settings import RENAMED


class Command(NamedTuple):
    """One row of the table: the module in `blindpo.cli` that serves it, and its line in --help."""

    module: str
    help: str


COMMANDS: Final = {
    "import": Command("import_rows", "read released preference data into rows"),
    "benchmarks": Command("benchmarks", "list the safety benchmarks, and what of them lies on this disk"),
    "check": Command("check", "test every row and image; with a model, exact token lengths"),
    "stats": Command("stats", "count what a data folder holds"),
    "export": Command("export", "write rows back in another format"),
    "build": Command("build", "make multimodal rows out of text-only preferences"),
    "blind": Command("blind", "let the reference model answer without the image"),
    "train": Command("train", "Blind Preference Optimization (BPO), DPO or IPO"),
    "evaluate": Command("evaluate", "safety, over-refusal, modality cheating, with intervals"),
    "rejudge": Command("rejudge", "judge the stored responses of an evaluation again, without a model"),
    "merge": Command("merge", "join the parts of one run that several machines made"),
    "suite": Command("suite", "compare several models on several sets of rows"),
    "label-sheet": Command("label_sheet", "a sheet of responses, drawn at random, for people to label"),
    "judge-check": Command("judge_check", "a judge's verdicts against human labels: how far can it be trusted?"),
    "pairwise-rows": Command("pairwise_rows", "rows that ask a model which of two responses is safe, in both orders"),
    "protocols": Command("protocols", "list the protocols; score stored responses under several of them"),
    "inspect-log": Command("inspect_log", "write an evaluation as a log that Inspect AI's viewer opens"),
    "report": Command("report", "one page from evaluations and runs"),
    "demo": Command("demo", "the whole story, offline, on a small world whose truth is known"),
}


MOVED_COMMANDS: Final = {"probe": "pairwise-rows"}
MOVED_FLAGS: Final = {
    "evaluate": {
        "--rejudge": "blindpo rejudge EVAL --judge JUDGE --out EVAL2",
        "--merge": "blindpo merge PART... --judge JUDGE --out EVAL",
        "--models": "blindpo suite --recipe SUITE.yaml --models NAME=MODEL... --out DIR",
    },
    "blind": {"--merge": "blindpo merge PART... --out DATA2"},
}
"""Old forms, by command: they are refused, and the command that took their place is named."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """argparse's help with the docstring as it is, and each key's flag once."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        """The flag as the key is spelled; the help says once that dashes do as well."""
        first, *others = action.option_strings or [""]
        shown = [first, *(name for name in others if name != first.replace("_", "-"))]
        if not first:
            return super()._format_action_invocation(action)
        if action.nargs == 0:
            return ", ".join(shown)
        return f"{', '.join(shown)} {self._format_args(action, action.dest.upper())}"


class Parser(argparse.ArgumentParser):
    """argparse with its errors in one paragraph, and the closest option for a mistyped one."""

    words: Sequence[str] = ()
    """What is parsed."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, what may have been meant, and where help is; status 2."""
        self.exit(2, f"{self.prog}: {message}{self._meant()}. See '{self.prog} --help'.\n")

    def shorten_usage(self) -> None:
        """Show what must be given; the many options are explained below it."""
        needed = [_usage_of(action) for action in self._actions if action.required or not action.option_strings]
        self.usage = " ".join(["%(prog)s", *needed, "[OPTIONS]"])

    def _meant(self) -> str:
        options = self._option_string_actions
        shown = [name for name, option in options.items() if option.help is not argparse.SUPPRESS]
        for word in self.words:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in options:
                renamed = RENAMED.get(name.removeprefix("--").replace("-", "_"))
                if f"--{renamed}" in options:
                    return f" ({name} is now --{renamed})"
                for close in difflib.get_close_matches(name, shown, n=1, cutoff=0.75):
                    return f" ({name}: did you mean {close}?)"
        return ""


def _usage_of(action: argparse.Action) -> str:
    """One argument of the usage line.

    >>> _usage_of(argparse.ArgumentParser().add_argument("parts", nargs="+", metavar="PART"))
    'PART...'
    """
    shown = f"{action.metavar or action.dest}"
    shown = {"+": f"{shown}...", "*": f"[{shown}...]", "?": f"[{shown}]"}.get(str(action.nargs), shown)
    return f"{action.option_strings[0]} {shown}" if action.option_strings else shown


def make_parser(name: str, module: Any) -> Parser:
    """The parser of the command `name`, which `module` serves."""
    parser = Parser(prog=f"blindpo {name}", description=module.__doc__, allow_abbrev=False,
                    formatter_class=HelpFormatter)  # fmt: skip
    module.add_arguments(parser)
    parser.shorten_usage()
    return parser


def help_text() -> str:
    """The text of `blindpo --help`: one line a command, in the order in which data flows."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: blindpo COMMAND ...",
            "",
            "Make vision-language models harmless without making them useless.",
            "",
            *lines,
            "",
            "'blindpo COMMAND --help' explains one command; 'blindpo --version' prints the version.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in {"-h", "--help"}:
        sys.stdout.write(help_text() + "\n")
        return 0 if words else 2
    if words[0] == "--version":
        sys.stdout.write(f"blindpo {__version__}\n")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        return _unknown_command(name)
    return _run(name, rest)


def _unknown_command(name: str) -> int:
    if name in MOVED_COMMANDS:
        sys.stderr.write(f"blindpo: '{name}' is now called '{MOVED_COMMANDS[name]}'.\n")
        return 2
    close = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    sys.stderr.write(f"blindpo: unknown command '{name}'.{hint} Commands: {', '.join(COMMANDS)}.\n")
    return 2


def _refuse_moved(name: str, words: Sequence[str]) -> None:
    for word in words:
        new = MOVED_FLAGS.get(name, {}).get(word.partition("=")[0])
        if new is not None:
            raise ConfigError(f"{word.partition('=')[0]} is a command of its own now: {new}")


def _run(name: str, words: Sequence[str]) -> int:
    try:
        module = importlib.import_module(f"blindpo.cli.{COMMANDS[name].module}")
        parser = make_parser(name, module)
        parser.words = words
        _refuse_moved(name, words)
        return int(module.run(parser.parse_args(words)))
    except BlindpoError as error:
        sys.stderr.write(f"blindpo {name}: {error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write(f"\nblindpo {name}: stopped. The same command goes on from where it was.\n")
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
