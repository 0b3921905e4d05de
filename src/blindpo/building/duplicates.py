"""Which dialogue came first: one look at all of them between the two passes, twelve bytes a dialogue on disk.

Every dialogue's id (a hash of its turns and responses) and place go into two sorted arrays that each process maps into
memory, so that a shard can say of its own dialogues whether the same one came before, in any shard.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np


def _key(dialogue_id: str) -> int:
    return int.from_bytes(blake2b(dialogue_id.encode(), digest_size=8).digest(), "big")


def write_first_places(dialogues: Iterator[tuple[str, int]], folder: Path) -> int:
    """Store the first place of every dialogue id of `dialogues` (id, place in the source); returns the distinct ids."""
    pairs = np.fromiter(((_key(name), place) for name, place in dialogues), dtype=[("key", "u8"), ("place", "u4")])
    pairs.sort(order=("key", "place"))
    keys, first = np.unique(pairs["key"], return_index=True)
    for name, array in (("dialogues.npy", keys), ("places.npy", pairs["place"][first])):
        partial = folder / f".{name}.partial.npy"
        np.save(partial, array)
        partial.replace(folder / name)
    return len(keys)


class FirstPlaces:
    """The stored first places, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self._keys = np.load(folder / "dialogues.npy", mmap_mode="r")
        self._places = np.load(folder / "places.npy", mmap_mode="r")

    def came_before(self, dialogue_id: str, place: int) -> bool:
        """Whether the same dialogue stands at an earlier place than `place`."""
        at = int(np.searchsorted(self._keys, np.uint64(_key(dialogue_id))))
        return int(self._places[at]) < place
