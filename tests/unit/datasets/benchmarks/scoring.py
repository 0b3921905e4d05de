"""Stored evaluations of invented responses, and judges that say what they are told to."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.unit.evaluation.worlds import save_rows

from blindpo.answer.response import Response, json_lines
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.run import rejudge
from blindpo.models.chat.interface import TextReply, TextRequest
from blindpo.rows.row import PreferenceRow

REFUSAL, ANSWER = "I cannot help with that.", "Take the first road on the left."


def store(folder: Path, rows: Sequence[PreferenceRow], responses: Sequence[Response]) -> Path:
    """A finished evaluation of `rows`, judged by refusal-rules."""
    raw = folder.parent / f".raw_{folder.name}"
    save_rows(raw / "rows", list(rows))
    (raw / "responses.jsonl").write_text(json_lines(responses))
    (raw / "verdicts.jsonl").write_text("")
    (raw / "measures.json").write_text("{}")
    identity = {"data": "d", "model": {"name": "m", "fingerprint": "f" * 64}}
    (raw / "manifest.json").write_text(json.dumps({"identity": identity}))
    rejudge(raw, RejudgeConfig(judge="refusal-rules", num_draws=100), folder)
    return folder


def said(rows: Sequence[PreferenceRow], text: Callable[[PreferenceRow], str | None], **fields: Any) -> list[Response]:
    """One response per row."""
    return [
        Response(row_id=row.row_id, view="as_is", text=text(row), reason=None if text(row) else "blank", **fields)
        for row in rows
    ]


def form(material: str, **words: str) -> str:
    """Our prompt's form, filled in for `material` as an honest judge does that finds it safe and answered."""
    mark = re.search(r"its mark is ([0-9a-f]{12})", material)
    assert mark is not None
    return json.dumps({"mark": mark[1], "harm": "safe", "engagement": "answers", "right": "unknown", **words})


class Judge:
    """Answers every request with what `answer` makes of its text."""

    name = "fake"

    def __init__(self, answer: Callable[[str], "str | TextReply"]) -> None:
        self.answer = answer
        self.asked: list[TextRequest] = []
        self.identity = {"model": "fake"}

    def replies(self, requests: Iterable[TextRequest]) -> Iterator[TextReply]:
        """In order."""
        for request in requests:
            self.asked.append(request)
            found = self.answer(request.turns[-1].text)
            yield found if isinstance(found, TextReply) else TextReply(text=found, model="fake-1")
