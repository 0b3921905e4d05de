"""How many of the released rows qualify for a benign twin, with the only judge that the tests have offline.

    python -m tests.live.example_twins MMSAFE_PO docs/example_build/twins.json

The judge is the tests' LLaVA of random weights: the weakest judge that sees an image at all. It cannot give a verdict,
so what this shows is that no verdict makes no twin, and it says nothing about the rows. With a chat model as judge,
build the rows with `twins=chat:MODEL` (docs/images.md). Counts alone are written.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.tiny_models import save_tiny_llava

from blindpo.building.draft import Draft, Mention
from blindpo.building.match import StoredImages
from blindpo.building.twins import TwinModels, Twins, lines_of_twins, verdict_counts
from blindpo.cli.main import main
from blindpo.images.base import Candidate
from blindpo.jobs.manifest import write_json
from blindpo.models.chat.local import LocalTextModel
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.shards import read_rows


class RowImages(StoredImages):
    """The rows' own images in the place of a build's."""

    def __init__(self, drafts: list[Draft]) -> None:
        self.lines = {str(number): _line(draft, number) for number, draft in enumerate(drafts)}
        self._found = [draft.candidate for draft in drafts]

    def candidate(self, line: dict[str, Any]) -> Candidate | None:
        """The image of one row."""
        return self._found[line["number"]]


def _line(draft: Draft, number: int) -> dict[str, Any]:
    candidate = draft.candidate
    assert candidate is not None
    found = {"entity_type": candidate.entity_type, "image": {"title": candidate.image.title or candidate.image.file}}
    return {"key": f"{number}\t{draft.mention.type or ''}", "candidate": found, "number": number}


def drafts_of(data: Path) -> list[Draft]:
    """The released rows as a build's drafts before the stage `twins`."""
    drafts = []
    for row in read_rows(data):
        assert row.entity is not None
        candidate = Candidate(image=row.images[0], source="released", entity_type=row.entity.type)
        mention = Mention(start=0, end=len(row.entity.text), text=row.entity.text, type=row.entity.type)
        drafts.append(Draft(row=row, mention=mention, candidate=candidate))
    return drafts


def make(source: Path, out: Path, work: Path) -> int:
    """Ask the judge about every row; returns the exit status."""
    data = work / "data"
    status = main(
        ["import", "mmsafe-po", str(source / "test.json"), "--images", str(source / "images"), "--out", str(data)]
    )
    if status:
        return status
    drafts = drafts_of(data)
    judge = LocalTextModel("a tiny model of random weights", load_vlm(resolve_model(save_tiny_llava(work / "model"))))
    stage = Twins(TwinModels(judge=judge), RowImages(drafts), tries=3, seed=42, stop_unanswered=True)
    verdicts = dict(sorted(verdict_counts(stage(drafts).drafts).items()))
    write_json(out, {"judge": judge.name, "rows": len(drafts), "qualify": verdicts.get("twin", 0), "says": verdicts})
    print("\n".join(lines_of_twins(verdicts)))  # noqa: T201
    return 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(make(Path(sys.argv[1]), Path(sys.argv[2]), Path(folder)))
