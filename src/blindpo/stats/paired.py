"""Two models on the same items: the difference with its interval, and McNemar's exact test over clusters.

Pairing by item takes out what both models share (an easy image is easy for both), so the interval of a difference is
far narrower than two intervals side by side suggest. McNemar (1947) in its exact form: among the items where just one
of the two is right, is it each as often as a fair coin says?
"""

from collections.abc import Sequence

import numpy as np

from blindpo.stats.clusters import NUM_DRAWS, Floats, Ints, ItemTable, estimate, pooled
from blindpo.stats.intervals import Estimate


def differences(a: ItemTable, b: ItemTable) -> ItemTable:
    """a - b on the items that both have; what only one has is counted as missing. Clusters are those of `a`."""
    places_b = {key: place for place, key in enumerate(b.key)}
    shared_a = [place for place, key in enumerate(a.key) if key in places_b]
    shared_b = [places_b[a.key[place]] for place in shared_a]
    span = a.bounds[1] - a.bounds[0]
    return ItemTable(
        value=a.value[shared_a] - b.value[shared_b],
        image_cluster=_renumbered(a.image_cluster[shared_a]),
        dialogue_cluster=_renumbered(a.dialogue_cluster[shared_a]),
        key=tuple(a.key[place] for place in shared_a),
        missing=len(a) + len(b) - 2 * len(shared_a),
        bounds=(-span, span),
    )


def _renumbered(
    cluster: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.unique(cluster, return_inverse=True)[1].astype(np.int64)


def paired_difference(
    a: Sequence[ItemTable], b: Sequence[ItemTable], *, generator: np.random.Generator, num_draws: int = NUM_DRAWS
) -> Estimate:
    """The mean of a - b over the same items, one table a seed: clusters with one seed, seeds then clusters with more.

    Raises ValueError where `a` and `b` have not the same number of seeds.
    """
    tables = [differences(each_a, each_b) for each_a, each_b in zip(a, b, strict=True)]
    if len(tables) == 1:
        return estimate(tables[0], generator=generator, num_draws=num_draws)
    return pooled(tables, generator=generator, num_draws=num_draws)


def mcnemar_clustered(a: ItemTable, b: ItemTable) -> float:
    """Two-sided exact p-value where items that share an image, or a dialogue, go together; 1 where nothing differs.

    Were the models alike, each cluster's net difference would fall to either side as by a fair coin, all of it at once.
    The sum's distribution over all 2^C falls is computed in full, without draws. Nets 3, 1, 1: of 8 falls 2 reach 5, so
    p = 0.25, where 5 independent items to 0 would give 0.0625. Clusters of one item give McNemar's exact test itself.
    The larger p-value of the two kinds of clusters is given: both at once would link most items of a set into one
    cluster, which can show nothing. Raises ValueError where a difference is no whole number.
    """
    table = differences(a, b)
    if not np.array_equal(table.value, np.round(table.value)):
        raise ValueError("an exact test needs yes-or-no items; read paired_difference instead")
    return max(_sign_flips(table.value, cluster) for cluster in (table.image_cluster, table.dialogue_cluster))


def _sign_flips(value: Floats, cluster: Ints) -> float:
    """How likely the clusters' signs, tossed by a fair coin, give a sum as far from 0 as the one that was seen."""
    nets = np.abs(np.bincount(cluster, weights=value)).astype(np.int64)
    chances = np.ones(1)
    for net in nets[nets > 0]:
        padded = np.pad(chances, (0, 2 * net))
        chances = (padded + np.roll(padded, 2 * net)) / 2
    sums = np.arange(len(chances)) - (len(chances) - 1) // 2
    return float(min(1.0, chances[np.abs(sums) >= abs(int(value.sum()))].sum()))
