"""The counts of a build add up."""

from blindpo.building.funnel import code_of, funnel_of, lines_of, tally
from blindpo.jobs.shards import Reject


def test_a_funnel_adds_up() -> None:
    rejects = [
        Reject(row_id=str(n), field="f", reason=reason, stage="read")
        for n, reason in enumerate(["not-json: x", "not-json: y", "it is blank: z"])
    ]
    counts = tally("read", 9, rejects) + tally("entities", 6, [], 11)
    read, entities = funnel_of(counts)
    assert read == {
        "stage": "read", "unit": "dialogues", "in": 9, "kept": 6, "out": 6, "rejected": {"not-json": 2, "other": 1},
    }  # fmt: skip
    assert (entities["in"], entities["kept"], entities["out"], entities["rejected"]) == (6, 6, 11, {})
    assert [line.split()[:5] for line in lines_of([read])][1:] == [
        ["read", "9", "6", "3", "6"], ["2", "not-json"], ["1", "other"],
    ]  # fmt: skip
    assert code_of("over-long: many words") == "over-long" and code_of("Row: x") == "other"
