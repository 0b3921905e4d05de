"""Every difference that may be, with its reason. An entry that explains nothing is an error (see `compare.py`).

VOLATILE differs when the same program runs twice. CHANGED is what HEAD does otherwise on purpose: each entry stands in
CHANGELOG as well. RENAMED are files that HEAD calls otherwise.
"""

from typing import Final

from tests.golden.compare import Allowed, Renamed

VOLATILE: Final = (
    Allowed(reason="clock times, which stand in this file alone", files="*timings.json"),
    Allowed(
        reason="the share of the loop's time that went to waiting for data",
        files="printed/train_*.json",
        keys=("data_share",),
    ),
    Allowed(
        reason="the packing check of the base draws an adapter's first matrices unseeded; the difference is rounding",
        files="out/*lora/run.json",
        keys=("packing.largest_difference_nats.*",),
        is_chance=True,
    ),
)

CHANGED: Final[tuple[Allowed, ...]] = ()

RENAMED: Final[tuple[Renamed, ...]] = ()
