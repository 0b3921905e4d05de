"""Every error that blindpo raises on purpose, as one tree.

    BlindpoError
    |-- UsageError            exit status 2: the command line or a source is wrong
    |   |-- ConfigError       a key or value of a recipe, a flag or --set
    |   |-- SourceError       a given path or file cannot be used
    |   |-- ModelError        a model folder, hub id or RUN folder cannot be used
    |   `-- OutputError       --out holds something else
    |-- RowError              one row is bad: it is rejected with its reason, the run goes on
    |   `-- ImageError        one image is bad (not an image, truncated, a bomb, missing)
    |-- FetchError            one address on the network gave nothing usable
    |   |-- ServerError       the server is down, slow or busy: it is asked again later
    |   `-- AnswerError       the server answered, and the answer is refused
    |-- UnansweredError       exit status 1: no answer for a look-up or a response; the same command asks again
    |-- WorkerDiedError       exit status 1: a worker process was killed; the same command goes on
    |-- TrainingError         exit status 1: training cannot go on (NaN, no memory, a failed upload)
    |   `-- ImageTokensError  the image tokens of a prompt do not fit its image
    |-- CannotPackError       a model cannot be packed: the trainer catches it and trains without packing
    |-- NothingKeptError      exit status 1: no row could be kept
    |-- StrictError           exit status 1: a row was rejected under --strict
    `-- BudgetError           exit status 1: the budget of tokens for a chat server is spent

A message is one paragraph: what is wrong, where, what is allowed, what to do. Messages hold names, paths and ids,
never the text of a row: safety data is offensive, and logs travel further than data.
"""

from typing import ClassVar


class BlindpoError(Exception):
    """Base of all errors raised on purpose; `exit_status` is what the command line returns for it."""

    exit_status: ClassVar[int] = 1


class UsageError(BlindpoError):
    """The user asked for something impossible: the message says what is allowed and what to do."""

    exit_status = 2


class ConfigError(UsageError):
    """A key or value of a recipe, a flag or `--set` is unknown, out of range or without effect."""


class SourceError(UsageError):
    """A file or folder named on the command line is missing, unreadable or of the wrong shape."""


class ModelError(UsageError):
    """A model folder, hub id or RUN folder cannot be loaded as a vision-language model."""


class OutputError(UsageError):
    """`--out` holds another run, or something else."""


class RowError(BlindpoError):
    """One row is bad. `row_id` and `field` say where, `reason` says why; the row goes to `rejects.jsonl`."""

    def __init__(self, reason: str, *, row_id: str = "", field: str = "") -> None:
        super().__init__(f"row {row_id or '?'}, field {field or '?'}: {reason}")
        self.reason = reason
        self.row_id = row_id
        self.field = field


class ImageError(RowError):
    """One image is bad: not an image, truncated, larger than the limits, missing, or its name leaves the folder."""


class FetchError(BlindpoError):
    """One address on the network gave nothing usable. Messages hold no query string, since it may contain a key."""


class ServerError(FetchError):
    """The server is down, slow, busy, or cut the answer short: the same request may succeed later."""


class AnswerError(FetchError):
    """The server answered, and the answer is refused: not found, not an image, too large, a forbidden address."""

    def __init__(self, message: str, *, gone: bool = False) -> None:
        super().__init__(message)
        self.gone = gone
        """Whether the server says that nothing is there (404, 410)."""


class UnansweredError(BlindpoError):
    """Look-ups or responses got no answer, so the run stopped; the answers so far are kept, the rest is asked again."""


class TrainingError(BlindpoError):
    """Training cannot continue; the message names the rows that caused it, and what to do."""


class NothingKeptError(BlindpoError):
    """A command read rows and could keep none of them; the message names the reject file and the first reason."""


class StrictError(BlindpoError):
    """A row was rejected and `--strict` was given; the message names the reject file."""


class BudgetError(BlindpoError):
    """The budget of tokens for a chat server is spent; the answers so far are kept."""
