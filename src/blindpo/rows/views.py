"""The same row with its image removed, blanked, noised or swapped: what exactly "blind" means.

"remove" is the paper's view x_b (section 3.2): the images and their placeholders are gone from the prompt, so the
model sees text alone. "sight" leaves the row as it is: the on-policy control.
"""

import io
from dataclasses import replace

import numpy as np
from PIL import Image, ImageOps

from blindpo.errors import ImageError
from blindpo.rows.row import IMAGE, BlindMode, ImageRef, PreferenceRow, Turn


def view(
    row: PreferenceRow, mode: BlindMode, *, generator: np.random.Generator, other: ImageRef | None = None
) -> PreferenceRow:
    """`row` under `mode`. `generator` makes the noise; `other` is the picture that "swap" puts in every image's place.

    Raises ValueError where "swap" has no `other`, ImageError where "blank" or "noise" cannot read an image's size.
    """
    if mode == "sight" or not row.images:
        return row
    if mode == "remove":
        return replace(row, prompt=tuple(_without_images(turn) for turn in row.prompt), images=())
    if mode == "swap":
        if other is None:
            raise ValueError("swap needs another row's image")
        return replace(row, images=tuple(other for _ in row.images))
    return replace(row, images=tuple(_redrawn(image, mode, generator) for image in row.images))


def textual_twin(row: PreferenceRow) -> PreferenceRow | None:
    """The row that asks the same in text alone (the paper's co-defense, section 2); None where it has no twin."""
    if row.text_prompt is None:
        return None
    return replace(row, prompt=row.text_prompt, images=(), text_prompt=None)


def _without_images(turn: Turn) -> Turn:
    """The turn's text; line breaks that only set an image off at the turn's start or end go with it.

    >>> _without_images(Turn(role="user", content=(IMAGE, "\\nWhat is this?"))).content
    ('What is this?',)
    """
    parts = [part for part in turn.content if isinstance(part, str)]
    if parts and turn.content[0] is IMAGE:
        parts[0] = parts[0].lstrip("\n")
    if parts and turn.content[-1] is IMAGE:
        parts[-1] = parts[-1].rstrip("\n")
    return replace(turn, content=tuple(parts))


def _redrawn(image: ImageRef, mode: BlindMode, generator: np.random.Generator) -> ImageRef:
    """An image of the same size: its mean colour ("blank"), or uniform noise ("noise")."""
    pixels = _pixels(image)
    if mode == "blank":
        drawn = np.broadcast_to(pixels.mean(axis=(0, 1)).round().astype(np.uint8), pixels.shape)
    else:
        drawn = generator.integers(0, 256, size=pixels.shape, dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(drawn)).save(sink, format="PNG")
    return ImageRef(data=sink.getvalue(), title=f"{mode} in place of {image.sha256[:12]}")


def _pixels(image: ImageRef) -> np.ndarray:
    """The picture as the model would see it: upright, transparent parts on white."""
    try:
        with Image.open(io.BytesIO(image.data)) as found:
            shown = ImageOps.exif_transpose(found).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("the image cannot be decoded", field="images") from error
    white = Image.new("RGBA", shown.size, "white")
    return np.asarray(Image.alpha_composite(white, shown).convert("RGB"))
