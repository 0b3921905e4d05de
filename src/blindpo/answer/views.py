"""Decide which views a row has, and provide their material: other images, harmless images, the deictic stage.

`rows/views.py` shows a row under a view. This file provides what a single row does not hold: the images of the whole
data folder, the harmless images of another folder or the drawn ones, and the deictic stage, which only MMSafe-PO's
format can read. Every command shows rows through `shown_row`, so responses and judges refer to the same view: it
depends on the seed, the row's id and the images alone, never on the order of work.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from blindpo.datasets.formats.mmsafe_po import parse_turns
from blindpo.errors import ConfigError, ImageError, RowError, SourceError
from blindpo.images.decode import decode_image
from blindpo.jobs.seeds import derive_seed
from blindpo.rows.image_index import ImageIndex
from blindpo.rows.row import ImageRef, PreferenceRow, Turn
from blindpo.rows.view_names import View, require_view
from blindpo.rows.views import OtherImages, view_row

MOST_SAFE_IMAGES: Final = 64
"""The most harmless images used from a folder, in the order of their names."""
SAFE_IMAGES: Final = "safe_images"
"""The folder in which an evaluation keeps the harmless images that it was given."""


def require_views(views: Sequence[str]) -> None:
    """Raise ConfigError for an unknown or repeated view, or if `as_is` is missing."""
    for view in views:
        require_view(view, where="views")
    if "as_is" not in views or len(set(views)) != len(views):
        raise ConfigError("views must hold as_is, and each view once")


def images_for(data: Path, views: Sequence[str], safe_images: Path | None = None) -> OtherImages:
    """Return the images that `views` of the rows in `data` need; harmless ones are drawn if no folder is given."""
    return OtherImages(
        of_data=ImageIndex.of_folder(data) if "swapped" in views else ImageIndex({}),
        safe=_safe_images(safe_images) if "safe_image" in views else (),
    )


def _safe_images(folder: Path | None) -> tuple[ImageRef, ...]:
    return drawn_scenes() if folder is None else read_safe_images(folder)


def read_safe_images(folder: Path) -> tuple[ImageRef, ...]:
    """Read the first images of a folder by name. Raises SourceError if none can be decoded."""
    if not folder.is_dir():
        raise SourceError(f"safe_images {folder} is not a folder; give one that holds harmless images")
    images = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        data = path.read_bytes()
        try:
            decode_image(data)
        except ImageError:
            continue
        images.append(ImageRef(data=data, file=path.name))
    if not images:
        raise SourceError(f"safe_images {folder} holds no image that can be read; give PNG, JPEG, WEBP or GIF files")
    return tuple(images[:MOST_SAFE_IMAGES])


def drawn_scenes(size: int = 224) -> tuple[ImageRef, ...]:
    """Draw eight mild scenes: a ball or a box on grass or sand under a morning or evening sky."""
    scenes = []
    for number in range(8):
        sky, ground = ((150, 200, 240), (240, 190, 150))[number % 2], ((90, 160, 80), (215, 195, 140))[number // 2 % 2]
        canvas = Image.new("RGB", (size, size), sky)
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((0, size * 2 // 3, size, size), fill=ground)
        box = (size * 2 // 5, size // 2, size * 3 // 5, size * 7 // 10)
        (draw.ellipse if number < 4 else draw.rectangle)(box, fill=(200, 60 + 20 * number, 60))
        sink = io.BytesIO()
        canvas.save(sink, "PNG")
        scenes.append(ImageRef(data=sink.getvalue(), title="drawn: a mild scene"))
    return tuple(scenes)


def has_view(row: PreferenceRow, view: View) -> bool:
    """Return whether the row can be asked under `view` at all."""
    if view == "as_is":
        return True
    if view == "text":
        return row.text_prompt is not None
    return bool(row.images) and (view != "deictic" or deictic_prompt(row) is not None)


def shown_row(row: PreferenceRow, view: View, images: OtherImages, *, seed: int = 0) -> PreferenceRow:
    """Return the row under `view`, with the prompt and images that the model sees. Raises RowError with the reason."""
    generator = np.random.default_rng(derive_seed(seed, row.row_id, "view", view))
    deictic = deictic_turns(row) if view == "deictic" else None
    return view_row(row, view, generator=generator, others=images, deictic=deictic)


def deictic_prompt(row: PreferenceRow) -> str | None:
    """Return MMSafe-PO's released `mid_prompt`, which the import keeps in `extra`; None for other sources."""
    if row.extra is None or row.provenance.source != "mmsafe-po":
        return None
    text = json.loads(row.extra).get("fields", {}).get("mid_prompt")
    return text if isinstance(text, str) and text else None


def deictic_turns(row: PreferenceRow) -> tuple[Turn, ...] | None:
    """Return the turns of the deictic stage. Raises RowError if `mid_prompt` cannot be parsed."""
    text = deictic_prompt(row)
    if text is None:
        return None
    turns = parse_turns(text, "mid_prompt")
    if sum(turn.num_images for turn in turns) != len(row.images):
        raise RowError("mid_prompt has another number of images", row_id=row.row_id, field="mid_prompt")
    return turns
