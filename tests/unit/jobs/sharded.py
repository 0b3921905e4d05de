"""A job of two shards, and the command that runs it: child processes import it by name, and little with it."""

from pathlib import Path

from blindpo.jobs.folder import OutFolder
from blindpo.jobs.shards import Reject, ShardResult, run_sharded
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn

NUM_SHARDS = 2


def small_row(row_id: str) -> PreferenceRow:
    # not the row of the other tests: each child would import all that they import
    return PreferenceRow(
        row_id=row_id,
        prompt=(Turn(role="user", content=(IMAGE, "what is this?")),),
        images=(ImageRef(data=row_id.encode() * 50),),
        provenance=Provenance(source="test", source_row_id=row_id, dialogue_id=row_id),
    )


def work(number: int) -> ShardResult:
    reject = Reject(row_id=f"bad-{number}", field="images", reason="no image", stage="test")
    return ShardResult(
        rows=[small_row(f"{number}-{place}") for place in range(3)], rejects=[reject], counts={"seen": 4}
    )


def command(out: Path) -> str:
    folder = OutFolder(out, {"command": "test"})
    state = folder.begin()
    if state != "done":
        totals = run_sharded(folder, NUM_SHARDS, work)
        folder.finish({"kept": totals.kept, "rejected": totals.rejected, "seen": totals.counts["seen"]})
    return state
