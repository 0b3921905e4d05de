"""Pad images to a square, for processors that would crop them.

LLaVA-1.5 was trained on images padded to a square in the processor's mean colour (released training recipe of arXiv
2503.14189: `image_aspect_ratio pad`), so nothing at the sides is lost; its converted processor crops instead. The
choice is stored on the image processor and saved with it, so that blind, evaluate and train see the same image.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from PIL import Image

from blindpo.errors import ConfigError, ModelError

ImagePadding = Literal["as_saved", "none", "square"]
PADDINGS: Final[tuple[str, ...]] = get_args(ImagePadding)
ATTRIBUTE: Final = "image_padding"
FULL: Final = 255


def set_image_padding(processor: Any, padding: str) -> None:
    """Set the padding of `processor`; "as_saved" leaves it unchanged. Raises ConfigError, ModelError."""
    if padding not in PADDINGS:
        raise ConfigError(f"image_padding is {padding!r}; allowed: {', '.join(PADDINGS)}")
    if padding == "square" and not getattr(processor.image_processor, "image_mean", None):
        raise ModelError("image_padding=square needs the processor's mean colour, and this one has none; leave it out")
    if padding != "as_saved":
        setattr(processor.image_processor, ATTRIBUTE, padding)


def image_padding(processor: Any) -> str:
    """Return the padding of `processor`: "none" or "square"."""
    return str(getattr(processor.image_processor, ATTRIBUTE, None) or "none")


def padded(processor: Any, images: Sequence[Image.Image]) -> list[Image.Image]:
    """Return the images as the processor should get them."""
    if not images or image_padding(processor) == "none":
        return list(images)
    red, green, blue = (int(value * FULL) for value in processor.image_processor.image_mean)
    return [pad_to_square(image, (red, green, blue)) for image in images]


def padded_size(processor: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of an image of `size` after `padded`."""
    return size if image_padding(processor) == "none" else (max(size), max(size))


def pad_to_square(image: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """Return `image` in the middle of a square as wide as its longer side.

    An image of 4 x 2 pixels becomes 4 x 4: one row of `colour` above it, and one below.
    """
    side = max(image.size)
    if image.size == (side, side):
        return image
    square = Image.new("RGB", (side, side), colour)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
