"""`blindpo blind`: every row is answered under a view without its image; rows go out with the responses in `blind`.

Whoever answers (a local model, a chat server, a file of recorded answers), a shard's responses depend on its rows, the
model and the seed alone: a run that was killed goes on, and several processes or machines end with the same bytes as
one. Existing blind responses are kept; new ones are appended.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final

from blindpo.answer.answerer import Answerer, Ask
from blindpo.answer.response import EMPTY, Response
from blindpo.answer.views import images_for, shown_row
from blindpo.blinding.checks import MISSING, BlindSummary, compare_with_chosen, summarise
from blindpo.blinding.config import BlindConfig
from blindpo.errors import NothingKeptError, RowError
from blindpo.jobs.engine import IN_PROCESS, Engine
from blindpo.jobs.folder import OutFolder, link_file
from blindpo.jobs.shards import (
    WHOLE,
    Place,
    Reject,
    RowJob,
    ShardFolder,
    ShardPart,
    ShardResult,
    join_parts,
    make_shards,
    merge_rejects,
    sum_counts,
)
from blindpo.rows.row import BlindResponse, PreferenceRow
from blindpo.rows.shards import RowBlocks, data_hash
from blindpo.rows.views import OtherImages

DRAWN: Final = ("temperature", "top_p", "top_k", "max_new_tokens", "seed")
"""What a blind response keeps of how it was drawn; None where nobody knows."""


def run_blind(
    config: BlindConfig,
    data: Path,
    answerer: Answerer,
    out: Path,
    *,
    part: ShardPart = WHOLE,
    engine: Engine = IN_PROCESS,
) -> BlindSummary | None:
    """Have all rows of `data`, or one machine's share, answered into the data folder `out`.

    Resumes and repeats safely. Returns None for a share, whose summary comes with `merge_blind`. Raises UsageError,
    NothingKeptError, and UnansweredError where a server did not answer everything.
    """
    identity = {"command": "blind", "config": config.identity(), "data": data_hash(data), "model": answerer.fingerprint}
    folder = ShardFolder(out, identity, part)
    if folder.begin() != "done":
        rows = RowBlocks(data.resolve(), config.shard_rows)
        place = Place(out.resolve() if part == WHOLE else folder.shards, folder.shards)
        job = RowJob(place, _BlindWork(config=config, rows=rows, answerer=answerer))
        make_shards(job, len(rows), what="blind shards", engine=engine, part=part, go_on=True)
        if part == WHOLE:
            return _finish(folder, len(rows))
        folder.finish_part(len(rows))
    return _summary(folder) if part == WHOLE else None


def merge_blind(parts: Sequence[Path], out: Path) -> BlindSummary:
    """Join the parts that several machines made: the data folder that one machine would have made, byte for byte.

    Raises SourceError where a part is missing, unfinished or of another run.
    """
    joined = join_parts(parts, "blind")
    folder = OutFolder(out, joined.identity)
    if folder.begin() == "done":
        return _summary(folder)
    place = Place(folder.path, folder.work)
    for number, shards in joined.shards():
        for target in place.files(number):
            if (shards / target.name).is_file():
                link_file(shards / target.name, target)
    return _finish(folder, joined.num_shards)


def _finish(folder: OutFolder, num_shards: int) -> BlindSummary:
    place = Place(folder.path, folder.work)
    merge_rejects(folder.path / "rejects.jsonl", [(place, num_shards)])
    totals = sum_counts(place, num_shards)
    if not totals.kept:
        raise NothingKeptError(f"no row could be kept; {folder.path / 'rejects.jsonl'} says why")
    summary = summarise(totals.counts, rows=totals.kept, rejected=totals.rejected)
    counts = {"read": totals.kept + totals.rejected, "kept": totals.kept, "rejected": totals.rejected}
    folder.finish({"counts": counts, "summary": asdict(summary), "warnings": summary.warnings})
    return summary


def _summary(folder: OutFolder) -> BlindSummary:
    return BlindSummary(**folder.manifest()["summary"])  # type: ignore[arg-type]


@dataclass(slots=True, kw_only=True)
class _BlindWork:
    """Makes one shard's rows with their blind responses; can be sent to another process."""

    config: BlindConfig
    rows: RowBlocks
    answerer: Answerer
    _images: OtherImages | None = field(default=None, init=False)

    def __call__(self, number: int) -> ShardResult:
        shown: list[tuple[PreferenceRow, PreferenceRow]] = []
        rejects = []
        for row in self.rows(number):
            try:
                seen = self._shown(row)
                self.answerer.check(row)
            except RowError as error:
                name = error.field or "prompt"
                rejects.append(Reject(row_id=row.row_id, field=name, reason=error.reason, stage="blind"))
            else:
                shown.append((row, seen))
        draws = self.config.draws
        responses = self.answerer.respond(
            [
                Ask(row=row, view=self.config.view, shown=seen, draw=draw, sample=len(row.blind) + draw)
                for row, seen in shown
                for draw in range(draws)
            ]
        )
        counts: Counter[str] = Counter()
        kept = [
            self._with_responses(row, responses[index * draws : (index + 1) * draws], counts)
            for index, (row, _) in enumerate(shown)
        ]
        pairs = [(shown[index // draws][0], each) for index, each in enumerate(responses) if each.text is not None]
        likelihood = self.answerer.logp_in_sight(pairs)
        sums: dict[str, float] = dict(counts)
        if likelihood is not None:
            sums |= {"logp_with_image": likelihood[0], "scored_tokens": likelihood[1]}
        return ShardResult(rows=kept, rejects=rejects, counts=sums)

    def _shown(self, row: PreferenceRow) -> PreferenceRow:
        """The row under the view. Raises RowError where there is no such view of it."""
        if self._images is None:
            self._images = images_for(self.rows.data, (self.config.view,))
        return shown_row(row, self.config.view, self._images, seed=self.config.seed)

    def _with_responses(self, row: PreferenceRow, responses: Sequence[Response], counts: Counter[str]) -> PreferenceRow:
        blind = []
        for response in responses:
            if response.text is None:
                counts["blank_draws" if response.reason == EMPTY else f"{MISSING}{response.reason}"] += 1
                continue
            blind.append(self._blind_response(response, response.text, draw=len(row.blind) + response.draw))
            counts.update({"responses": 1, "cut": int(response.cut), "redraws": response.redraws})
            counts["thoughts"] += response.thought is not None
            if response.num_tokens is not None:
                counts["tokens"] += response.num_tokens
            counts.update(compare_with_chosen(response.text, row.chosen))
        counts["without_blind"] += not blind
        return replace(row, blind=(*row.blind, *blind))

    def _blind_response(self, response: Response, text: str, *, draw: int) -> BlindResponse:
        return BlindResponse(
            text=text,
            cut=response.cut,
            view=self.config.view,
            model=self.answerer.fingerprint,
            revision=response.revision or self.answerer.revision,
            draw=draw,
            **{name: getattr(self.answerer.drawn, name, None) for name in DRAWN},
        )
