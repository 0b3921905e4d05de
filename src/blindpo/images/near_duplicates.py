"""Tell whether two images look the same: by equal pixels, else by a difference hash and the colours.

The difference hash is Pillow's resize and one comparison (it equals `imagehash.dhash`, without scipy): 64 bits, of
which a scaled or recompressed copy changes a few. It sees only edges, so plain images and flags of one layout
collide at distance 0; the mean colours of an 8 x 8 grid tell these apart.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

import numpy as np
from PIL import Image

MAX_HASH_BITS: Final = 4
"""Limit out of 64 bits: scaled or recompressed copies differ by 0 to 1, other images by tens."""
MAX_COLOUR_STEPS: Final = 10.0
"""Limit out of 255, mean over the grid: recompression moves it by 1 or 2, another colour in half of a flag by tens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The features of one image that are compared."""

    pixels: str
    """SHA-256 of size and decoded RGB."""
    bits: int
    """Difference hash."""
    colours: np.ndarray
    """8 x 8 x 3 mean colours, 0 to 255."""


def look_of(image: Image.Image) -> Look:
    """Return the features of an RGB image."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS)).astype(np.int16)
    bits = int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")
    colours = np.asarray(image.resize((8, 8), Image.Resampling.BOX)).astype(np.float32)
    pixels = sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
    return Look(pixels=pixels, bits=bits, colours=colours)


@dataclass(slots=True)
class SeenImages:
    """Images with the names they stand for; tells whether a new one was seen under another name."""

    names: list[str] = field(default_factory=list)
    _pixels: dict[str, list[int]] = field(default_factory=dict)
    _bits: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    _colours: list[np.ndarray] = field(default_factory=list)

    def other_name(self, name: str, look: Look) -> str | None:
        """Return a different name under which the same image, or nearly the same, was added; else None."""
        for index in self._pixels.get(look.pixels, []):
            if self.names[index] != name:
                return self.names[index]
        distances = np.bitwise_count(self._bits[: len(self.names)] ^ np.uint64(look.bits))
        for near in map(int, np.flatnonzero(distances <= MAX_HASH_BITS)):
            if self.names[near] != name and self._same_colours(near, look):
                return self.names[near]
        return None

    def add(self, name: str, look: Look) -> None:
        """Remember that `name` has the image."""
        index = len(self.names)
        if index == len(self._bits):
            self._bits = np.concatenate([self._bits, np.zeros(max(64, index), dtype=np.uint64)])
        self._bits[index] = look.bits
        self._pixels.setdefault(look.pixels, []).append(index)
        self._colours.append(look.colours)
        self.names.append(name)

    def _same_colours(self, index: int, look: Look) -> bool:
        return float(np.abs(self._colours[index] - look.colours).mean()) <= MAX_COLOUR_STEPS
