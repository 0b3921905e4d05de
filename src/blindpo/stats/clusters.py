"""Cluster bootstraps, since items that share an image, a dialogue or a seed are not independent evidence.

Two-way clusters (image x dialogue) use the variance of Cameron, Gelbach and Miller (2011), "Robust inference with
multiway clustering", JBES 29(2): V(image) + V(dialogue) - V(both at once). Clusters of the kind with the larger
variance are resampled, and the draws are stretched about the mean until they have the two-way variance; if one kind is
nested in the other, nothing is stretched. (The pigeonhole bootstrap, Owen 2007, was tried first: if the kinds nearly
coincide, as in MMSafe-PO, its intervals are 1.6 times as wide.) Over seeds: seeds are resampled first, then clusters
within each.

Legend: N items, C clusters, D draws, S seeds. 2000 draws over 600 items take about 0.1 s.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from blindpo.stats.intervals import LEVEL, Estimate, constant_interval, wilson

NUM_DRAWS: Final = 2000
MOST_COUNTS: Final = 1 << 22
"""The most cluster counts (draws x clusters) in memory at once: about 130 MB with their intermediates."""
ROUNDING: Final = 1e-12
"""Draws that differ by less than this count as equal."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTable:
    """The items of one measure for one model and seed, one array element per item; `key` is the same across models."""

    value: Floats
    image_cluster: Ints
    dialogue_cluster: Ints
    key: tuple[str, ...]
    missing: int = 0
    """Number of items that belong to the measure but had no verdict; they are in no array."""
    bounds: tuple[float, float] = (0.0, 1.0)
    """The smallest and the largest value an item can have."""

    def __len__(self) -> int:
        return len(self.key)

    @property
    def mean(self) -> float | None:
        """The measure's value; None if there are no items."""
        return float(self.value.mean()) if len(self) else None


def item_table(
    items: Iterable[tuple[str, float | None, Iterable[Hashable], Iterable[Hashable]]],
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> ItemTable:
    """Build a table from (key, value, images, dialogues); a value of None is a missing verdict."""
    listed = list(items)
    kept = [item for item in listed if item[1] is not None]
    return ItemTable(
        value=np.array([item[1] for item in kept], dtype=np.float64),
        image_cluster=linked([item[2] for item in kept]),
        dialogue_cluster=linked([item[3] for item in kept]),
        key=tuple(item[0] for item in kept),
        missing=len(listed) - len(kept),
        bounds=bounds,
    )


def linked(marks: Sequence[Iterable[Hashable]]) -> Ints:
    """Return cluster numbers: items linked by shared marks form one cluster; an item without marks is its own.

    [{a}, {b}, {a, c}, {c}, {}] gives [0, 1, 0, 0, 2].
    """
    columns: dict[Hashable, int] = {}
    edges = [
        (row, len(marks) + columns.setdefault(mark, len(columns)))
        for row, item_marks in enumerate(marks)
        for mark in item_marks
    ]
    size = len(marks) + len(columns)
    rows, others = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = coo_matrix((np.ones(len(edges)), (rows, others)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1][: len(marks)]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def cluster_variance(value: Floats, cluster: Ints) -> float:
    """Return the clustered variance of the mean: sum over clusters of (sum of deviations)^2, over N^2.

    Values [0, 1, 1, 0] in clusters [0, 0, 1, 1]: the deviations cancel, 0; in [0, 1, 1, 0]: (1 + 1) / 16.
    """
    sums_C = np.bincount(cluster, weights=value - value.mean())
    return float((sums_C**2).sum() / len(value) ** 2)


def two_way_stretch(table: ItemTable) -> tuple[Ints, float]:
    """Return the kind of cluster with the larger variance, and the factor that stretches it to the two-way variance."""
    kinds = (table.image_cluster, table.dialogue_cluster)
    variances = [cluster_variance(table.value, kind) for kind in kinds]
    both = np.unique(np.stack(kinds), axis=1, return_inverse=True)[1].ravel()
    crossed = sum(variances) - cluster_variance(table.value, both)
    larger = int(np.argmax(variances))
    if variances[larger] <= 0:  # deviations cancel within every cluster: take the kind with fewer clusters
        return min(kinds, key=lambda kind: int(kind.max())), 1.0
    return kinds[larger], float(np.sqrt(max(crossed / variances[larger], 1.0)))


def bootstrap_means(table: ItemTable, *, generator: np.random.Generator, num_draws: int = NUM_DRAWS) -> Floats:
    """Return means of `num_draws` cluster resamples, stretched to the two-way variance, clipped to the bounds."""
    cluster, stretch = two_way_stretch(table)
    sums_C = np.bincount(cluster, weights=table.value)
    sizes_C = np.bincount(cluster).astype(np.float64)
    chunk = max(1, MOST_COUNTS // len(sizes_C))  # in chunks, so that memory stays flat with many clusters
    parts = []
    for start in range(0, num_draws, chunk):
        counts_DC = cluster_counts(cluster, generator, min(chunk, num_draws - start))
        parts.append((counts_DC @ sums_C) / (counts_DC @ sizes_C))
    draws = np.concatenate(parts)
    mean = table.value.mean()
    stretched: Floats = np.clip(mean + stretch * (draws - mean), *table.bounds)
    return stretched


def cluster_counts(cluster: Ints, generator: np.random.Generator, num_draws: int) -> Floats:
    """Count how often each cluster is in each resample: C draws with replacement out of C."""
    num_clusters = int(cluster.max()) + 1
    picked = generator.integers(num_clusters, size=(num_draws, num_clusters))
    flat = picked + num_clusters * np.arange(num_draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=num_draws * num_clusters)
    return counts.reshape(num_draws, num_clusters).astype(np.float64)


def num_clusters(table: ItemTable) -> int:
    """Return the most independent pieces of evidence the table can hold: clusters of the kind with fewer."""
    return min(len(np.unique(table.image_cluster)), len(np.unique(table.dialogue_cluster)))


def estimate(table: ItemTable, *, generator: np.random.Generator, num_draws: int = NUM_DRAWS) -> Estimate:
    """Return the mean of one table with a 95 % interval: Wilson's for independent yes-or-no items, else by clusters."""
    mean = table.mean
    if mean is None:
        return Estimate(value=None, missing=table.missing)
    clusters = num_clusters(table)
    binary = table.bounds == (0.0, 1.0) and bool(np.isin(table.value, (0.0, 1.0)).all())
    if binary and clusters == len(table):
        (low, high), method = wilson(float(table.value.sum()), len(table)), "wilson"
    else:
        draws = bootstrap_means(table, generator=generator, num_draws=num_draws)
        (low, high), varied = _interval(draws, mean, clusters, table.bounds)
        method = "cluster_bootstrap" if varied else "wilson_on_clusters"
    return Estimate(value=mean, low=low, high=high, n=len(table), missing=table.missing, method=method)


def _interval(
    draws: Floats, mean: float, clusters: int, bounds: tuple[float, float]
) -> tuple[tuple[float, float], bool]:
    """Return the draws' interval and whether they varied; if not, the interval of clusters that all agree."""
    if np.ptp(draws) > ROUNDING:
        return percentiles(draws), True
    return constant_interval(mean, clusters, bounds), False


def pooled(tables: Sequence[ItemTable], *, generator: np.random.Generator, num_draws: int = NUM_DRAWS) -> Estimate:
    """Estimate one measure over seeds: the mean of the seeds' values, resampling seeds and then clusters within each.

    A seed without items is None in `per_seed` and counts nowhere else.
    """
    per_seed = tuple(table.mean for table in tables)
    filled = [table for table in tables if len(table)]
    missing = sum(table.missing for table in tables)
    if not filled:
        return Estimate(value=None, missing=missing, per_seed=per_seed)
    mean = float(np.mean([table.mean for table in filled]))
    clusters = sum(num_clusters(table) for table in filled)
    draws = _seed_means(filled, generator, num_draws)
    (low, high), varied = _interval(draws, mean, clusters, filled[0].bounds)
    method = "seed_and_cluster_bootstrap" if varied else "wilson_on_clusters"
    n = sum(len(table) for table in filled)
    return Estimate(value=mean, low=low, high=high, n=n, missing=missing, method=method, per_seed=per_seed)


def _seed_means(tables: Sequence[ItemTable], generator: np.random.Generator, num_draws: int) -> Floats:
    picked_DS = generator.integers(len(tables), size=(num_draws, len(tables)))
    means_DS = np.empty(picked_DS.shape)
    for seed, table in enumerate(tables):
        chosen_DS = picked_DS == seed
        if chosen_DS.any():
            means_DS[chosen_DS] = bootstrap_means(table, generator=generator, num_draws=int(chosen_DS.sum()))
    means_D: Floats = means_DS.mean(axis=1)
    return means_D


def percentiles(draws: Floats, *, level: float = LEVEL) -> tuple[float, float]:
    """Return the ends of the middle `level` of the draws."""
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)
