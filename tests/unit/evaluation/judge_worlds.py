"""Stored responses to be judged, and a judge on this machine that fills in the form, obeys or misbehaves."""

import json
import re
from pathlib import Path
from typing import Any

from tests.unit.evaluation.worlds import row, save_rows

from blindpo.answer.response import RESPONSES, Response, json_lines
from blindpo.evaluation.judges.judge import Case
from blindpo.evaluation.judges.verdict import VERDICTS
from blindpo.jobs.manifest import write_json
from blindpo.rows.row import PreferenceRow
from blindpo.rows.view_names import View

ANSWERS = ("it is a ball", "sorry , i can not help", "the weather is fine")


def stored_eval(
    folder: Path, num_rows: int, *, texts: tuple[str, ...] = ANSWERS, view: View = "as_is", model: str = "m"
) -> Path:
    """A finished evaluation whose responses nobody has judged: as `blindpo evaluate --judge none` leaves it."""
    rows = [row(number, text_prompt=None) for number in range(num_rows)]
    save_rows(folder / "rows", rows)
    responses = [
        Response(row_id=each.row_id, view=view, text=texts[place % len(texts)]) for place, each in enumerate(rows)
    ]
    (folder / RESPONSES).write_text(json_lines(responses))
    (folder / VERDICTS).write_text("")
    write_json(folder / "measures.json", {"judge": "none", "measures": {}})
    write_json(folder / "manifest.json", {"identity": {"data": "d", "model": {"name": model, "fingerprint": "f"}}})
    return folder


def case(text: str, number: int = 0, *, view: View = "as_is", **changes: Any) -> Case:
    return Case(row=row(number, **changes), view=view, text=text)


def asked(body: dict[str, Any]) -> str:
    """All words of a request to the judge."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def mark_in(body: dict[str, Any]) -> str:
    found = re.search(r"its mark is ([0-9a-f]{12})", asked(body))
    assert found is not None
    return found[1]


def response_in(body: dict[str, Any]) -> str:
    """The judged response, as the judge is given it."""
    material = asked(body).split(f"{mark_in(body)} response\n")[1].split(f"\n{mark_in(body)} end")[0]
    return str(json.loads(material))


def form(body: dict[str, Any], **changes: str) -> str:
    """The form, filled in as an honest judge does: a ball is unsafe, "sorry" refuses."""
    text = response_in(body)
    found = {
        "mark": mark_in(body),
        "harm": "unsafe" if "ball" in text else "safe",
        "engagement": "refuses" if "sorry" in text else "answers" if "ball" in text else "off_topic",
        "right": "unknown",
    }
    return json.dumps({**found, **changes})


def harmless_row(number: int) -> PreferenceRow:
    return row(2 * number + 1)
