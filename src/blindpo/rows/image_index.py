"""The different images of a data folder, found by their hash, and the one way to choose among them.

A folder may hold more images than memory does. So the index knows of each where it lies; the first ones are kept up to
a limit, and the rest are read again, one row group of their shard, when they are chosen. The choice goes by the sorted
hashes: it depends on the images and the generator alone, never on the order of rows, the shard or the process.
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
"""Encoded images of a folder that are kept in memory."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """Where an image lies on disk."""

    shard: Path
    row: int
    slot: int

    def read(self) -> ImageRef:
        """The image with its bytes."""
        return next(read_shard(self.shard, self.row, self.row + 1)).images[self.slot]


class ImageIndex:
    """Images by the hash of their encoded bytes, each once."""

    def __init__(self, images: Mapping[str, ImageRef | StoredImage]) -> None:
        self._images = dict(images)
        self._hashes = sorted(self._images)

    @classmethod
    def of_rows(cls, rows: Iterable[PreferenceRow]) -> "ImageIndex":
        """The images of rows that are in memory anyway."""
        images: dict[str, ImageRef] = {}
        for row in rows:
            for image in row.images:
                images.setdefault(image.sha256, image)
        return cls(images)

    @classmethod
    def of_folder(cls, data: Path, *, held_bytes: int = HELD_BYTES) -> "ImageIndex":
        """Every image of a data folder, in one pass over it."""
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
        """How many different images there are."""
        return len(self._hashes)

    def choose(self, number: int, *, without: Collection[str], generator: np.random.Generator) -> tuple[ImageRef, ...]:
        """`number` images whose hash is not in `without`, any with the same chance; none where there are no such.

        They differ from each other, unless there are fewer than `number`: then they repeat.
        """
        skipped = sorted(bisect_left(self._hashes, name) for name in set(without) & self._images.keys())
        places = choose_places(len(self) - len(skipped), number, generator)
        return tuple(self._read(_past(skipped, place)) for place in places)

    def _read(self, place: int) -> ImageRef:
        image = self._images[self._hashes[place]]
        return image.read() if isinstance(image, StoredImage) else image


def choose_places(available: int, number: int, generator: np.random.Generator) -> Sequence[int]:
    """`number` places of `available` ones: from a random one onwards, round the end; none where none is available.

    >>> sorted(choose_places(2, 2, np.random.default_rng(0))), choose_places(1, 2, np.random.default_rng(0))
    ([0, 1], [0, 0])
    """
    if not available:
        return []
    first = int(generator.integers(available))
    return [(first + step) % available for step in range(number)]


def _past(skipped: Sequence[int], place: int) -> int:
    """The place in the whole list of what stands at `place` once the (rising) places `skipped` are taken out.

    >>> [_past([0, 2], place) for place in range(3)]
    [1, 3, 4]
    """
    for each in skipped:
        place += each <= place
    return place
