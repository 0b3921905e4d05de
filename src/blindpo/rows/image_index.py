"""Index the distinct images of a data folder by their hash, and choose among them in the one way for all commands.

A folder may hold more images than fit into memory. So the index stores where each image is; the first ones are kept up
to a limit, and the rest are read again, one row group of their shard, when they are chosen. The choice is made on the
sorted hashes: it depends on the images and the generator alone, never on the order of rows, the shard or the process.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from blindpo.rows.row import ImageRef, PreferenceRow
from blindpo.rows.shards import read_shard, shard_paths

HELD_BYTES: Final = 256 * 2**20
"""Limit for the encoded images of a folder that are kept in memory."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """The position of an image on disk."""

    shard: Path
    row: int
    slot: int

    def read(self) -> ImageRef:
        """Read the image with its bytes."""
        return next(read_shard(self.shard, self.row, self.row + 1)).images[self.slot]


class ImageIndex:
    """Images by the hash of their encoded bytes, each once."""

    def __init__(self, images: Mapping[str, ImageRef | StoredImage]) -> None:
        self._images = dict(images)
        self._hashes = sorted(self._images)

    @classmethod
    def of_rows(cls, rows: Iterable[PreferenceRow]) -> "ImageIndex":
        """Index the images of rows in memory."""
        images: dict[str, ImageRef] = {}
        for row in rows:
            for image in row.images:
                images.setdefault(image.sha256, image)
        return cls(images)

    @classmethod
    def of_folder(cls, data: Path, *, held_bytes: int = HELD_BYTES) -> "ImageIndex":
        """Index every image of a data folder, in one pass over it."""
        images: dict[str, ImageRef | StoredImage] = {}
        for shard in shard_paths(data):
            for number, row in enumerate(read_shard(shard)):
                for slot, image in enumerate(row.images):
                    name = image.sha256
                    if name in images:
                        continue
                    fits = len(image.data) <= held_bytes
                    held_bytes -= len(image.data) if fits else 0
                    images[name] = image if fits else StoredImage(shard, number, slot)
        return cls(images)

    def __len__(self) -> int:
        """Return the number of distinct images."""
        return len(self._hashes)

    def choose(self, number: int, *, without: Collection[str], generator: np.random.Generator) -> tuple[ImageRef, ...]:
        """Choose `number` images with equal chances, none with a hash in `without`; none if there are no others.

        They are distinct, unless there are fewer than `number`: then they repeat.
        """
        skipped = sorted(bisect_left(self._hashes, name) for name in set(without) & self._images.keys())
        indices = choose_indices(len(self) - len(skipped), number, generator)
        return tuple(self._read(_past(skipped, index)) for index in indices)

    def _read(self, index: int) -> ImageRef:
        image = self._images[self._hashes[index]]
        return image.read() if isinstance(image, StoredImage) else image


def choose_indices(available: int, number: int, generator: np.random.Generator) -> Sequence[int]:
    """Return `number` indices below `available`: a random one and those after it, wrapping around; none of 0.

    >>> sorted(choose_indices(2, 2, np.random.default_rng(0))), choose_indices(1, 2, np.random.default_rng(0))
    ([0, 1], [0, 0])
    """
    if not available:
        return []
    first = int(generator.integers(available))
    return [(first + step) % available for step in range(number)]


def _past(skipped: Sequence[int], index: int) -> int:
    """Return the index in the whole list of the item at `index` after the (rising) indices `skipped` are removed.

    >>> [_past([0, 2], index) for index in range(3)]
    [1, 3, 4]
    """
    for each in skipped:
        index += each <= index
    return index
