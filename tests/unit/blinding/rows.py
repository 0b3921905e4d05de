"""The rows that all tests of blinding share."""

import io

from PIL import Image

from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn


def row(number: int, text: str = "what is this ?") -> PreferenceRow:
    """A row with a small image of its own."""
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
