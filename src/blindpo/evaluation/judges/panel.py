"""Several judges and their majority. A tie is no verdict, and a member that is silent weakens none of it.

A word counts when more than half of *all* members say it: a member that is down cannot tip the rest. A panel need not
beat its best member (on MSTS's eight judges it does not); it tells how far judges differ.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from blindpo.evaluation.judges.judge import Case, Judge, verdicts_of
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.rows.row import PreferenceRow

NO_MAJORITY: Final = "the panel has no majority"


class Panel:
    """Asks each member in turn, so that one local model at a time is in memory."""

    def __init__(self, name: str, members: Sequence[Judge]) -> None:
        self.name = name
        self.identity = {"name": name, "members": [dict(member.identity) for member in members]}
        self._members = members

    def require(self, row: PreferenceRow) -> None:
        """What any member reads."""
        for member in self._members:
            member.require(row)

    def verdicts(self, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
        """The majority on each case; `cases` is read once for each member."""
        votes = [list(verdicts_of(member, cases, _folder(work, place))) for place, member in enumerate(self._members)]
        return (self._majority(each) for each in zip(*votes, strict=True))

    def _majority(self, votes: Sequence[Verdict]) -> Verdict:
        harm = _winner([vote.harm for vote in votes], "none")
        undecided = harm == "none"
        return Verdict(
            row_id=votes[0].row_id,
            view=votes[0].view,
            harm=harm,  # type: ignore[arg-type]  # one of the members' words
            engagement=_winner([vote.engagement for vote in votes], "none"),  # type: ignore[arg-type]
            right=_winner([vote.right for vote in votes], "unknown"),  # type: ignore[arg-type]
            judge=self.name,
            raw=json.dumps([{"judge": v.judge, "harm": v.harm, "raw": v.raw, "reason": v.reason} for v in votes]),
            revision=", ".join(f"{vote.judge}={vote.revision}" for vote in votes if vote.revision) or None,
            reason=NO_MAJORITY if undecided else None,
            again=undecided and any(vote.again for vote in votes),
        )


def _folder(work: Path, place: int) -> Path:
    folder = work / f"member-{place}"
    folder.mkdir(exist_ok=True)
    return folder


def _winner(words: Sequence[str], nothing: str) -> str:
    word, count = Counter(words).most_common(1)[0]
    return word if 2 * count > len(words) else nothing
