"""Cluster bootstraps: worked clusters, spreads against scipy and closed forms, the same numbers for the same seed."""

import time
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import bootstrap

from blindpo.stats.clusters import (
    ItemTable,
    bootstrap_means,
    cluster_variance,
    estimate,
    item_table,
    linked,
    num_clusters,
    percentiles,
    pooled,
    two_way_stretch,
)
from blindpo.stats.intervals import wilson


def table_of(
    value: Sequence[float],
    image: Sequence[int] | None = None,
    dialogue: Sequence[int] | None = None,
    *,
    missing: int = 0,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> ItemTable:
    alone = range(len(value))
    return ItemTable(
        value=np.array(value, dtype=np.float64),
        image_cluster=np.array(alone if image is None else image, dtype=np.int64),
        dialogue_cluster=np.array(alone if dialogue is None else dialogue, dtype=np.int64),
        key=tuple(str(number) for number in alone),
        missing=missing,
        bounds=bounds,
    )


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_items_that_share_a_mark_are_one_cluster() -> None:
    assert linked([{"a"}, {"b"}, {"a", "c"}, {"c"}, set()]).tolist() == [0, 1, 0, 0, 2]
    assert linked([]).tolist() == []


def test_cluster_variance_by_hand() -> None:
    value = np.array([0.0, 1.0, 1.0, 0.0])
    assert cluster_variance(value, np.array([0, 0, 1, 1])) == 0.0
    assert cluster_variance(value, np.array([0, 1, 1, 0])) == pytest.approx(2 / 16)


def test_of_nested_clusterings_the_coarser_is_resampled_as_it_is() -> None:
    inside = table_of([0, 0, 1, 1], image=[0, 1, 2, 3], dialogue=[0, 0, 1, 1])
    cluster, stretch = two_way_stretch(inside)
    assert (cluster.tolist(), stretch) == ([0, 0, 1, 1], 1.0)
    cluster, stretch = two_way_stretch(table_of([0, 0, 1, 1], image=[0, 0, 1, 1], dialogue=[0, 1, 2, 3]))
    assert (cluster.tolist(), stretch) == ([0, 0, 1, 1], 1.0)


def test_where_deviations_cancel_the_fewer_clusters_are_taken() -> None:
    cluster, stretch = two_way_stretch(table_of([1, 1, 1], image=[0, 1, 2], dialogue=[0, 0, 0]))
    assert (cluster.tolist(), stretch) == ([0, 0, 0], 1.0)


def test_draws_made_some_at_a_time_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    random = generator(3)
    table = table_of(random.integers(0, 2, 90).tolist(), (np.arange(90) // 3).tolist(), (np.arange(90) // 2).tolist())
    whole = bootstrap_means(table, generator=generator(), num_draws=500)
    monkeypatch.setattr("blindpo.stats.clusters.MOST_COUNTS", 777)
    assert bootstrap_means(table, generator=generator(), num_draws=500).tolist() == whole.tolist()


def test_where_one_kind_says_less_than_nothing_the_other_kind_stands() -> None:
    """Every dialogue is half right: its clusters have no variance, the images inside them have."""
    halves = table_of([0, 1, 1, 0], image=[0, 1, 2, 3], dialogue=[0, 0, 1, 1])
    cluster, stretch = two_way_stretch(halves)
    assert (cluster.tolist(), stretch) == ([0, 1, 2, 3], 1.0)


def test_one_shared_image_does_not_blow_the_interval_up() -> None:
    random = generator(6)
    value = random.integers(0, 2, 200).tolist()
    image, dialogue = [0, 0, *range(1, 199)], [*range(199), 198]
    found = estimate(table_of(value, image, dialogue), generator=generator())
    apart = wilson(sum(value), 200)
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(apart[1] - apart[0], rel=0.08)


def test_a_missing_verdict_is_counted_and_stands_in_no_rate() -> None:
    table = item_table([("r1", 1.0, ("i1",), ("d1",)), ("r2", None, ("i2",), ("d1",)), ("r3", 0.0, ("i1",), ("d2",))])
    assert table.mean == 0.5
    assert (table.key, table.missing) == (("r1", "r3"), 1)
    assert table.image_cluster.tolist() == [0, 0]
    assert table.dialogue_cluster.tolist() == [0, 1]
    assert num_clusters(table) == 1


def test_without_items_there_is_no_data() -> None:
    empty = item_table([("r1", None, (), ("d1",))])
    found = estimate(empty, generator=generator())
    assert (found.value, found.low, found.high, found.n, found.missing) == (None, None, None, 0, 1)


def test_independent_yes_or_no_items_get_wilsons_interval() -> None:
    found = estimate(table_of([1] * 8 + [0] * 2), generator=generator())
    assert (found.low, found.high) == wilson(8, 10)
    assert (found.value, found.method) == (0.8, "wilson")


def test_where_all_clusters_agree_the_clusters_are_counted_and_not_the_items() -> None:
    found = estimate(table_of([1] * 6, dialogue=[0, 0, 1, 1, 2, 2]), generator=generator())
    assert (found.low, found.high) == pytest.approx(wilson(3, 3))
    assert found.method == "wilson_on_clusters"


def test_clusters_that_are_all_half_right_still_have_a_width() -> None:
    found = estimate(table_of([0, 1, 1, 0, 1, 0], [0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2]), generator=generator())
    share = wilson(0, 3)[1]
    assert (found.low, found.high) == pytest.approx((0.5 - share / 2, 0.5 + share / 2))


def test_one_cluster_is_hardly_any_evidence() -> None:
    found = estimate(table_of([1, 0], image=[0, 0], dialogue=[0, 0]), generator=generator())
    share = wilson(0, 1)[1]
    assert (found.low, found.high) == pytest.approx((0.5 - share / 2, 0.5 + share / 2))


def test_one_way_draws_spread_as_scipys_bootstrap_of_cluster_means() -> None:
    rates = generator(1).random(40)
    values = np.repeat(rates, 3)
    table = table_of(values.tolist(), dialogue=np.repeat(np.arange(40), 3).tolist())
    draws = bootstrap_means(table, generator=generator(), num_draws=20_000)
    expected = bootstrap((rates,), np.mean, n_resamples=20_000, method="percentile", rng=generator(2))
    assert draws.std() == pytest.approx(expected.standard_error, rel=0.03)
    assert percentiles(draws) == pytest.approx(tuple(expected.confidence_interval), abs=0.005)


def test_copies_of_an_item_in_its_cluster_do_not_narrow_the_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]
    single = estimate(table_of(values, bounds=(-1.0, 1.0)), generator=generator())
    copied = table_of(values * 5, image=[*range(8)] * 5, dialogue=[*range(8)] * 5, bounds=(-1.0, 1.0))
    many = estimate(copied, generator=generator())
    assert (many.low, many.high) == (single.low, single.high)
    assert many.method == single.method == "cluster_bootstrap"


def test_crossed_draws_have_the_two_way_variance() -> None:
    """Full grid of I images x J dialogues, value a_i + b_j: V = s_a^2 / I + s_b^2 / J - (s_a^2 + s_b^2) / (I J)."""
    a, b = generator(3).random(30), generator(4).random(20)
    values = (a[:, None] + b[None, :]).ravel()
    image, dialogue = (grid.ravel() for grid in np.meshgrid(np.arange(30), np.arange(20), indexing="ij"))
    table = table_of(values.tolist(), image.tolist(), dialogue.tolist(), bounds=(0.0, 2.0))
    draws = bootstrap_means(table, generator=generator(), num_draws=20_000)
    assert draws.var() == pytest.approx(a.var() / 30 + b.var() / 20 - (a.var() + b.var()) / 600, rel=0.03)


def test_draws_stay_within_the_measures_bounds() -> None:
    crossed = table_of([1, 0, 1, 1], image=[0, 0, 1, 1], dialogue=[0, 1, 1, 0])
    draws = bootstrap_means(crossed, generator=generator(), num_draws=500)
    assert draws.min() >= 0.0
    assert draws.max() <= 1.0


def test_the_same_generator_gives_the_same_interval() -> None:
    table = table_of([0, 1, 1, 1, 0, 0, 1], dialogue=[0, 0, 1, 1, 2, 2, 3])
    assert (
        bootstrap_means(table, generator=generator(7)).tolist()
        == bootstrap_means(table, generator=generator(7)).tolist()
    )
    assert (
        bootstrap_means(table, generator=generator(7)).tolist()
        != bootstrap_means(table, generator=generator(8)).tolist()
    )
    assert estimate(table, generator=generator(7)) == estimate(table, generator=generator(7))


def test_over_seeds_the_value_is_the_mean_of_the_seeds_values() -> None:
    small, large = table_of([1, 0]), table_of([1, 1, 1, 0])
    found = pooled([small, large, table_of([], missing=2)], generator=generator())
    assert found.value == pytest.approx((0.5 + 0.75) / 2)
    assert (found.per_seed, found.n, found.missing) == ((0.5, 0.75, None), 6, 2)
    assert found.few_seeds
    assert found.method == "seed_and_cluster_bootstrap"


def test_over_seeds_the_spread_of_the_seeds_is_in_the_interval() -> None:
    """Seeds that differ far more than their items: the variance is that of the seeds' means, over their number."""
    tables = [table_of([mean - 1e-4, mean + 1e-4] * 50) for mean in (0.2, 0.4, 0.6, 0.8, 0.5)]
    found = pooled(tables, generator=generator(), num_draws=20_000)
    spread = np.std([0.2, 0.4, 0.6, 0.8, 0.5]) / np.sqrt(5)
    assert found.high is not None and found.low is not None
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.05)
    assert not found.few_seeds


def test_over_seeds_that_all_agree_the_interval_has_a_width() -> None:
    found = pooled([table_of([1] * 20), table_of([1] * 30)], generator=generator())
    assert (found.low, found.high) == pytest.approx(wilson(50, 50))


def test_over_seeds_without_items_there_is_no_data() -> None:
    found = pooled([table_of([], missing=1), table_of([])], generator=generator())
    assert found.to_json() == {"value": None, "n": 0, "no_data": True, "missing": 1, "per_seed": [None, None]}


def test_a_seed_that_is_never_drawn_is_no_harm() -> None:
    picked_DS = generator(43).integers(3, size=(2, 3))  # the first numbers that `pooled` draws
    assert set(picked_DS.ravel().tolist()) == {0, 1}, "the third seed is drawn after all: take another generator"
    seeds = [table_of([value] * 4, bounds=(0.0, 1.0)) for value in (0.0, 1.0, 0.5)]  # no draw of items can change them
    means_D = np.array([0.0, 1.0, 0.5])[picked_DS].mean(axis=1)
    interval = pooled(seeds, generator=generator(43), num_draws=2)
    assert (interval.low, interval.high) == pytest.approx(percentiles(means_D))
    assert (interval.value, interval.per_seed, interval.n) == (0.5, (0.0, 1.0, 0.5), 12)


def test_two_thousand_draws_over_six_hundred_items_are_fast() -> None:
    random = generator(5)
    table = table_of(random.integers(0, 2, 600).tolist(), random.integers(0, 300, 600).tolist(),
                     random.integers(0, 200, 600).tolist())  # fmt: skip
    start = time.process_time()
    estimate(table, generator=generator())
    assert time.process_time() - start < 1.0
