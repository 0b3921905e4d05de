"""Find duplicate dialogues between the two passes, with twelve bytes per dialogue on disk.

Every dialogue's id (a hash of its turns and responses) and position go into two sorted arrays that each process maps
into memory, so that a shard knows for each of its dialogues whether the same one came before, in any shard.
"""

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np


def _key(dialogue_id: str) -> int:
    return int.from_bytes(blake2b(dialogue_id.encode(), digest_size=8).digest(), "big")


def write_first_positions(dialogues: Iterator[tuple[str, int]], folder: Path) -> int:
    """Store the first position of every id in `dialogues` (id, position in the source); returns how many ids."""
    pairs = np.fromiter(((_key(name), at) for name, at in dialogues), dtype=[("key", "u8"), ("position", "u4")])
    pairs.sort(order=("key", "position"))
    keys, first = np.unique(pairs["key"], return_index=True)
    for name, array in (("dialogues.npy", keys), ("places.npy", pairs["position"][first])):
        partial = folder / f".{name}.partial.npy"
        np.save(partial, array)
        partial.replace(folder / name)
    return len(keys)


class FirstPositions:
    """The stored first positions, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self._keys = np.load(folder / "dialogues.npy", mmap_mode="r")
        self._positions = np.load(folder / "places.npy", mmap_mode="r")

    def came_before(self, dialogue_id: str, position: int) -> bool:
        """Return whether the same dialogue is also at an earlier position than `position`."""
        index = int(np.searchsorted(self._keys, np.uint64(_key(dialogue_id))))
        return int(self._positions[index]) < position
