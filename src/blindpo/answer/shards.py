"""Responses shard by shard, whoever answers: a local model, a chat server, a recording; a part of them if asked.

A shard's file is renamed into place when it is whole: a kill loses one shard at most, and the same command ends with
the same bytes. A shard that a server could not answer in full is not written, so the same command asks for it again.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from blindpo.answer.response import Response, json_lines
from blindpo.errors import ConfigError, UnansweredError
from blindpo.jobs.manifest import write_text
from blindpo.jobs.progress import progress
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import count_rows, read_rows

Respond = Callable[[Sequence[PreferenceRow]], list[Response]]
"""The responses to some rows under all their views, in order; raises UnansweredError where a server did not answer."""


class Part(NamedTuple):
    """Which share of the shards one machine makes: number 1 to `of`."""

    number: int
    of: int

    def holds(self, shard: int) -> bool:
        """Whether shard `shard`, counted from 0, is in this part."""
        return shard % self.of == self.number - 1


WHOLE = Part(1, 1)


def parse_part(words: str) -> Part:
    """`2/4` as a part. Raises ConfigError.

    >>> parse_part("2/4")
    Part(number=2, of=4)
    """
    number, slash, of = words.partition("/")
    if not (slash and number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise ConfigError(f"--part {words}: write it as NUMBER/OF, such as 1/4 to 4/4")
    return Part(int(number), int(of))


def write_shards(data: Path, work: Path, respond: Respond, *, shard_rows: int, part: Part = WHOLE) -> list[Path]:
    """Make the part's shards that are not in `work` yet; returns them in order. Raises UnansweredError."""
    total = count_rows(data)
    paths = []
    unanswered: list[str] = []
    with progress(total, "evaluate") as bar:
        for number, rows in enumerate(blocks(read_rows(data), shard_rows)):
            if part.holds(number):
                paths.append(work / f"responses-{number:05d}.jsonl")
                if not paths[-1].is_file():
                    try:
                        write_text(paths[-1], json_lines(respond(rows)))
                    except UnansweredError as error:
                        unanswered.append(str(error))
            bar.update(len(rows))
    if unanswered:
        raise UnansweredError(
            f"{len(unanswered)} of {len(paths)} shards of responses are not whole ({unanswered[0]}); what was answered "
            "is kept, and the same command asks only for the rest"
        )
    return paths


def blocks(rows: Iterator[PreferenceRow], size: int) -> Iterator[list[PreferenceRow]]:
    """`size` rows at a time, in order."""
    while block := list(islice(rows, size)):
        yield block
