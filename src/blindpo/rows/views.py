"""Show a row under a view: this file defines exactly what "blind" means, and which image replaces another.

`removed` is the paper's view x_b (section 3.2): the images and their placeholders are removed from the prompt, so the
model sees only text. `safe_image` is its test for modality cheating (section 2.2): a refused request is asked again
with harmless images. `text`, `deictic` and `as_is` are MMSafe-PO's three ways to ask the same.

All randomness (noise, the choice of another image) comes from the generator: seed it by the row's id, and the view of
the row does not depend on the order of work.
"""

import io
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image, ImageOps

from blindpo.errors import ImageError, RowError
from blindpo.rows.image_index import ImageIndex, choose_indices
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Turn
from blindpo.rows.view_names import View


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherImages:
    """The images that a view may show in place of a row's own."""

    of_data: ImageIndex = field(default_factory=lambda: ImageIndex({}))
    """Every image of the row's data."""
    safe: tuple[ImageRef, ...] = ()
    """Harmless images."""

    def swapped(self, row: PreferenceRow, generator: np.random.Generator) -> tuple[ImageRef, ...]:
        """Return one image for each of the row's, none of them its own; no images if the data have no other.

        >>> from blindpo.rows.row import Provenance
        >>> images = [ImageRef(data=letter) for letter in (b"a", b"b", b"c", b"d")]
        >>> source = Provenance(source="s", source_row_id="1", dialogue_id="1")
        >>> both = PreferenceRow(row_id="1", prompt=(), images=tuple(images[:2]), provenance=source)
        >>> data = ImageIndex({image.sha256: image for image in images})
        >>> others = OtherImages(of_data=data).swapped(both, np.random.default_rng(0))
        >>> sorted(image.data for image in others)
        [b'c', b'd']
        """
        own = {image.sha256 for image in row.images}
        return self.of_data.choose(len(row.images), without=own, generator=generator)

    def harmless(self, row: PreferenceRow, generator: np.random.Generator) -> tuple[ImageRef, ...]:
        """Return one harmless image for each of the row's; no images if there are none."""
        return tuple(self.safe[index] for index in choose_indices(len(self.safe), len(row.images), generator))


def view_row(
    row: PreferenceRow,
    view: View,
    *,
    generator: np.random.Generator,
    others: OtherImages | None = None,
    deictic: tuple[Turn, ...] | None = None,
) -> PreferenceRow:
    """Return `row` under `view`, with the prompt and images that the model sees. Without images the prompt stays.

    `deictic` are the turns of the deictic stage, which the row itself does not hold.
    Raises RowError if the row has no such view, ImageError if an image cannot be decoded.

    >>> from blindpo.rows.row import Provenance
    >>> source = Provenance(source="s", source_row_id="1", dialogue_id="1")
    >>> turn = Turn(role="user", content=(IMAGE, "\\nWhat is this?"))
    >>> row = PreferenceRow(row_id="1", prompt=(turn,), images=(ImageRef(data=b"a"),), provenance=source)
    >>> view_row(row, "removed", generator=np.random.default_rng(0)).prompt[0].content
    ('What is this?',)
    >>> data = ImageIndex.of_rows([row, replace(row, images=(ImageRef(data=b"b"),))])
    >>> others = OtherImages(of_data=data)
    >>> view_row(row, "swapped", generator=np.random.default_rng(0), others=others).images[0].data
    b'b'
    """
    if view == "text":
        prompt = _existing(row, view, row.text_prompt)
        return replace(row, prompt=prompt, images=(), text_prompt=None)
    if view == "deictic":
        return replace(row, prompt=_existing(row, view, deictic), text_prompt=None)
    if view == "as_is" or not row.images:
        return row
    if view == "removed":
        return replace(row, prompt=tuple(_without_images(turn) for turn in row.prompt), images=())
    if view in ("blank", "noise"):
        return replace(row, images=tuple(_redrawn(image, view, generator) for image in row.images))
    others = others or OtherImages()
    images = others.swapped(row, generator) if view == "swapped" else others.harmless(row, generator)
    if not images:
        raise RowError("there is no other image to show", row_id=row.row_id, field="images")
    return replace(row, images=images)


def _existing(row: PreferenceRow, view: View, turns: tuple[Turn, ...] | None) -> tuple[Turn, ...]:
    if turns is None:
        raise RowError(f"the row has no {view} prompt", row_id=row.row_id, field=f"{view}_prompt")
    return turns


def _without_images(turn: Turn) -> Turn:
    """Return the turn's text, without line breaks that only separate an image at the turn's start or end.

    >>> _without_images(Turn(role="user", content=(IMAGE, "\\nWhat is this?"))).content
    ('What is this?',)
    """
    parts = [part for part in turn.content if isinstance(part, str)]
    if parts and turn.content[0] is IMAGE:
        parts[0] = parts[0].lstrip("\n")
    if parts and turn.content[-1] is IMAGE:
        parts[-1] = parts[-1].rstrip("\n")
    return replace(turn, content=tuple(parts))


def _redrawn(image: ImageRef, view: View, generator: np.random.Generator) -> ImageRef:
    """Return an image of the same size: its mean colour ("blank"), or uniform noise ("noise")."""
    pixels = _pixels(image)
    if view == "blank":
        drawn = np.broadcast_to(pixels.mean(axis=(0, 1)).round().astype(np.uint8), pixels.shape)
    else:
        drawn = generator.integers(0, 256, size=pixels.shape, dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(drawn)).save(sink, format="PNG")
    return ImageRef(data=sink.getvalue(), title=f"{view} in place of {image.sha256[:12]}")


def _pixels(image: ImageRef) -> np.ndarray:
    """Return the image as a model would see it: upright, transparent parts on white."""
    try:
        with Image.open(io.BytesIO(image.data)) as opened:
            shown = ImageOps.exif_transpose(opened).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("the image cannot be decoded", field="images") from error
    white = Image.new("RGBA", shown.size, "white")
    return np.asarray(Image.alpha_composite(white, shown).convert("RGB"))
