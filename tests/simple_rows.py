"""A row as small as a row can be: one image, one question, a chosen and a rejected answer."""

import io

from PIL import Image

from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn


def png(colour: str) -> bytes:
    """The bytes of a small image of one colour."""
    sink = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(sink, format="PNG")
    return sink.getvalue()


def simple(row_id: str, **changes: object) -> PreferenceRow:
    """The row of that id, with other values in the fields that are named."""
    known = {
        "prompt": (Turn(role="user", content=(IMAGE, "what is this?")),),
        "images": (ImageRef(data=png("red"), file="a:b%20c"),),
        "chosen": "a red card ",
        "rejected": "a dog",
        "provenance": Provenance(source="test", source_row_id=row_id, dialogue_id=row_id),
    }
    return PreferenceRow(row_id=row_id, **{**known, **changes})
