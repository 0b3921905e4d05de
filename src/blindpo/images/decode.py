"""Decode images under limits: other bytes, truncated images and decompression bombs are refused with a reason.

`verify()` misses a truncated JPEG, so an image is always loaded in full; only the bytes are trusted, never the
extension. Transparent pixels are laid on white (a bare `convert("RGB")` makes them black), 16-bit grey is scaled, EXIF
orientation applied.
"""

import io
import struct
import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from blindpo.errors import ImageError

IMAGE_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """The limits for an image."""

    max_bytes: int = 20_000_000
    """Size of the encoded file."""
    max_pixels: int = 40_000_000
    """Width times height, read from the header before anything is decoded."""


DEFAULT_LIMITS: Final = ImageLimits()


def decode_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """Decode the first frame of the image in `data` to RGB. Raises ImageError with the reason."""
    if not data:
        raise ImageError("the image file is empty (0 bytes)", field="image")
    if len(data) > limits.max_bytes:
        raise ImageError(f"the image has {len(data)} bytes; allowed are {limits.max_bytes}", field="image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _load(data, limits)
    except UnidentifiedImageError as error:
        raise ImageError(f"the bytes are no image that we read ({', '.join(IMAGE_FORMATS)})", field="image") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the image is a decompression bomb; allowed are {limits.max_pixels} pixels",
                         field="image") from error  # fmt: skip
    except (OSError, ValueError, SyntaxError, struct.error) as error:  # Pillow raises these on broken files
        reason = " ".join(str(error).split())[:120]
        raise ImageError(f"the image is truncated or broken ({reason})", field="image") from error


def _load(data: bytes, limits: ImageLimits) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as opened:
        width, height = opened.size
        if width * height > limits.max_pixels:
            raise ImageError(f"the image is {width} x {height} pixels; allowed are {limits.max_pixels}", field="image")
        opened.load()
        upright = ImageOps.exif_transpose(opened)
        return _to_rgb(upright)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
