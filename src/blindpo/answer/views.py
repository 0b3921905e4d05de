"""What a model is shown of a row under each view, so that responses and judges speak of the same thing.

    as_is       the row's own prompt and images        removed     the prompt without its images
    text        the textual twin, no image             blank       each image in its mean colour
    mid         the deictic stage between the two      swapped     the images of another row
                (MMSafe-PO's `mid_prompt`), images      safe_image  a harmless picture in every image's place

`text`, `mid` and `as_is` are the three-way probe of MMSafe-PO's rows; `safe_image` is the paper's test for modality
cheating (section 2.2): what was refused is asked again with a safe image. Which other picture a row gets depends on
its id and on the pictures alone, never on the order of work.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, get_args

import numpy as np
from PIL import Image, ImageDraw

from blindpo.answer.response import View
from blindpo.datasets.formats.mmsafe_po import parse_turns
from blindpo.errors import ConfigError, ImageError, RowError, SourceError
from blindpo.images.decode import decode_image
from blindpo.jobs.seeds import derive_seed
from blindpo.rows import views as row_views
from blindpo.rows.row import ImageRef, PreferenceRow, Turn
from blindpo.rows.shards import read_rows

VIEWS: Final[tuple[View, ...]] = get_args(View)
DEFAULT_VIEWS: Final[tuple[View, ...]] = ("as_is", "text")
POOL: Final = 64
"""So many pictures at most are held to swap in."""
SAFE_IMAGES: Final = "safe_images"
"""Where an evaluation keeps the harmless pictures that it was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures that views put in place of a row's own."""

    others: tuple[ImageRef, ...] = ()
    """Of the evaluated rows themselves."""
    safe: tuple[ImageRef, ...] = ()

    def other_than(self, row: PreferenceRow) -> ImageRef | None:
        """A picture that is none of the row's own; None where there is no such."""
        own = {image.sha256 for image in row.images}
        return _pick([image for image in self.others if image.sha256 not in own], row.row_id)

    def safe_for(self, row: PreferenceRow) -> ImageRef | None:
        """A harmless picture."""
        return _pick(self.safe, row.row_id)


def _pick(images: Sequence[ImageRef], row_id: str) -> ImageRef | None:
    return images[derive_seed(0, "swap", row_id) % len(images)] if images else None


def require_views(views: Sequence[str]) -> None:
    """Raise ConfigError for a view that there is none of, or where `as_is` is missing."""
    for view in views:
        if view not in VIEWS:
            raise ConfigError(f"views: '{view}' is unknown; allowed: {', '.join(VIEWS)}")
    if "as_is" not in views or len(set(views)) != len(views):
        raise ConfigError("views must hold as_is, and each view once")


def pictures_for(data: Path, views: Sequence[str], safe_images: Path | None) -> Pictures:
    """The pictures that `views` of the rows in `data` need; drawn harmless ones where no folder is given."""
    others = _pool(data) if "swapped" in views else ()
    safe: tuple[ImageRef, ...] = ()
    if "safe_image" in views:
        safe = drawn_pictures() if safe_images is None else read_pictures(safe_images)
    return Pictures(others=others, safe=safe)


def _pool(data: Path) -> tuple[ImageRef, ...]:
    found: dict[str, ImageRef] = {}
    for row in read_rows(data):
        for image in row.images:
            found.setdefault(image.sha256, image)
        if len(found) >= POOL:
            break
    return tuple(islice(found.values(), POOL))


def read_pictures(folder: Path) -> tuple[ImageRef, ...]:
    """The first pictures of a folder by name. Raises SourceError where it has none that can be decoded."""
    if not folder.is_dir():
        raise SourceError(f"safe_images {folder} is not a folder; give one that holds harmless pictures")
    found = []
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        data = path.read_bytes()
        try:
            decode_image(data)
        except ImageError:
            continue
        found.append(ImageRef(data=data, file=path.name))
    if not found:
        raise SourceError(f"safe_images {folder} holds no picture that can be read; give PNG, JPEG, WEBP or GIF files")
    return tuple(found[:POOL])


def drawn_pictures(size: int = 224) -> tuple[ImageRef, ...]:
    """Eight mild scenes: a ball or a box on grass or sand under a morning or evening sky."""
    found = []
    for number in range(8):
        sky, ground = ((150, 200, 240), (240, 190, 150))[number % 2], ((90, 160, 80), (215, 195, 140))[number // 2 % 2]
        canvas = Image.new("RGB", (size, size), sky)
        draw = ImageDraw.Draw(canvas)
        draw.rectangle((0, size * 2 // 3, size, size), fill=ground)
        box = (size * 2 // 5, size // 2, size * 3 // 5, size * 7 // 10)
        (draw.ellipse if number < 4 else draw.rectangle)(box, fill=(200, 60 + 20 * number, 60))
        sink = io.BytesIO()
        canvas.save(sink, "PNG")
        found.append(ImageRef(data=sink.getvalue(), title="drawn: a mild scene"))
    return tuple(found)


def has_view(row: PreferenceRow, view: View) -> bool:
    """Whether the row can be asked under `view` at all."""
    if view == "as_is":
        return True
    if view == "text":
        return row.text_prompt is not None
    return bool(row.images) and (view != "mid" or mid_prompt(row) is not None)


def shown_row(row: PreferenceRow, view: View, pictures: Pictures) -> PreferenceRow:
    """The row as `view` shows it: its prompt and images are what the model sees. Raises RowError with the reason."""
    if view == "as_is":
        return row
    generator = np.random.default_rng(derive_seed(0, "view", row.row_id))
    if view in ("swapped", "safe_image"):
        other = pictures.other_than(row) if view == "swapped" else pictures.safe_for(row)
        if other is None:
            raise RowError("there is no other picture to show", row_id=row.row_id, field="images")
        return row_views.view(row, "swap", generator=generator, other=other)
    if view in ("removed", "blank"):
        return row_views.view(row, "remove" if view == "removed" else "blank", generator=generator)
    turns = row.text_prompt if view == "text" else mid_turns(row)
    if turns is None:
        raise RowError(f"the row has no {view} prompt", row_id=row.row_id, field=f"{view}_prompt")
    return replace(row, prompt=turns, images=() if view == "text" else row.images, text_prompt=None)


def mid_prompt(row: PreferenceRow) -> str | None:
    """MMSafe-PO's deictic stage as released, which the import keeps in `extra`; None for rows of other sources."""
    if row.extra is None or row.provenance.source != "mmsafe-po":
        return None
    found = json.loads(row.extra).get("fields", {}).get("mid_prompt")
    return found if isinstance(found, str) and found else None


def mid_turns(row: PreferenceRow) -> tuple[Turn, ...] | None:
    """The turns of `mid_prompt`. Raises RowError where they are none."""
    text = mid_prompt(row)
    if text is None:
        return None
    turns = parse_turns(text, "mid_prompt")
    if sum(turn.num_images for turn in turns) != len(row.images):
        raise RowError("mid_prompt has another number of images", row_id=row.row_id, field="mid_prompt")
    return turns
