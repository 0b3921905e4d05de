"""Examples side by side: one request, its picture, and what each model said. Folded and blurred until asked for."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blindpo.evaluate.stored import StoredEval
from blindpo.report.load import Source
from blindpo.rows.row import PreferenceRow
from blindpo.rows.shards import read_rows

NUM_EXAMPLES: Final = 12
MAX_IMAGE_BYTES: Final = 400_000
_KINDS: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


@dataclass(frozen=True, slots=True)
class Said:
    """What one model answered, and how it was judged."""

    model: str
    text: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Example:
    """One request with everybody's answers."""

    row_id: str
    label: str
    request: str
    image: str
    said: list[Said]


def examples(sources: Sequence[Source]) -> list[Example]:
    """The first rows that all evaluations answered; those on which verdicts differ come first."""
    evaluations = [(source.name, source.evaluation) for source in sources if source.evaluation]
    if not evaluations:
        return []
    answers = {name: _answers(evaluation) for name, evaluation in evaluations}
    rows = list(read_rows(evaluations[0][1].rows))
    shared = [row for row in rows if all(row.row_id in found for found in answers.values())]
    shared.sort(key=lambda row: len({found[row.row_id][1] for found in answers.values()}) < 2)
    return [_example(row, answers) for row in shared[:NUM_EXAMPLES]]


def _answers(evaluation: StoredEval) -> dict[str, tuple[str, str]]:
    verdicts = {v.row_id: f"{v.harm}, {v.engagement}" for v in evaluation.verdicts if v.view == "as_is"}
    return {
        response.row_id: (response.text or "(no answer)", verdicts.get(response.row_id, "no verdict"))
        for response in evaluation.responses
        if response.view == "as_is"
    }


def _example(row: PreferenceRow, answers: dict[str, dict[str, tuple[str, str]]]) -> Example:
    request = "\n".join(f"{turn.role}: {turn.text.strip()}" for turn in row.prompt)
    said = [Said(name, *found[row.row_id]) for name, found in answers.items()]
    return Example(row.row_id, row.label, request, data_uri(row.images[0].data) if row.images else "", said)


def data_uri(data: bytes) -> str:
    """An image as a data URI; "" where the bytes are no picture that browsers show, or too many."""
    kind = next((kind for start, kind in _KINDS if data.startswith(start)), None)
    if kind is None or len(data) > MAX_IMAGE_BYTES:
        return ""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
