"""Rows that the tests of blind share, and the files that a run leaves."""

import io
from pathlib import Path

from PIL import Image

from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn


def row(number: int, text: str = "what is this ?") -> PreferenceRow:
    sink = io.BytesIO()
    Image.new("RGB", (30, 30), (20 * number, 0, 0)).save(sink, format="PNG")
    return PreferenceRow(
        row_id=f"r{number}",
        prompt=(Turn(role="user", content=(IMAGE, f"\n{text}")),),
        images=(ImageRef(data=sink.getvalue()),),
        chosen="Sorry, I can not.",
        rejected="a ball",
        provenance=Provenance(source="test", source_row_id=str(number), dialogue_id=str(number)),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != "timings.json"}
