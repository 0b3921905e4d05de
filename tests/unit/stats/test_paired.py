"""Paired comparisons: by hand, and McNemar's exact test against statsmodels."""

from collections.abc import Sequence

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from blindpo.stats.clusters import ItemTable
from blindpo.stats.paired import differences, mcnemar_clustered, paired_difference


def table_of(value: Sequence[float], key: Sequence[str] | None = None) -> ItemTable:
    alone = np.arange(len(value), dtype=np.int64)
    keys = tuple(key) if key is not None else tuple(map(str, alone))
    return ItemTable(value=np.array(value, dtype=np.float64), image_cluster=alone, dialogue_cluster=alone, key=keys)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_items_are_paired_by_key_and_the_rest_is_counted() -> None:
    found = differences(table_of([1, 1, 0], ["x", "y", "z"]), table_of([0, 1, 1], ["z", "x", "w"]))
    assert (found.key, found.value.tolist()) == (("x", "z"), [0.0, 0.0])
    assert (found.missing, found.bounds) == (2, (-1.0, 1.0))
    assert found.image_cluster.tolist() == [0, 1]


def test_what_both_share_is_taken_out_of_the_interval() -> None:
    hard = [0.0, 1.0] * 50
    a, b = table_of(hard), table_of([*hard[:-1], 0.0])
    found = paired_difference([a], [b], generator=generator())
    assert found.value == pytest.approx(0.01)
    assert found.low is not None and found.high is not None
    assert -0.001 <= found.low <= found.high <= 0.05
    assert found.per_seed is None


def test_with_seeds_each_seed_is_paired_with_its_own() -> None:
    a, b = [table_of([1, 1, 1, 0])] * 2, [table_of([0, 1, 1, 0]), table_of([0, 0, 1, 0])]
    found = paired_difference(a, b, generator=generator())
    assert found.per_seed == (0.25, 0.5)
    assert found.value == pytest.approx(0.375)
    assert found.few_seeds


def test_a_seed_that_one_side_lacks_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([table_of([1])], [], generator=generator())


def test_mcnemar_by_hand() -> None:
    a, b = table_of([1] * 1 + [0] * 9 + [1] * 5), table_of([0] * 1 + [1] * 9 + [1] * 5)
    assert mcnemar_clustered(a, b) == pytest.approx(2 * (1 + 10) / 2**10)


def test_mcnemar_is_that_of_statsmodels() -> None:
    random = np.random.default_rng(3)
    first, second = random.integers(0, 2, 80), random.integers(0, 2, 80)
    counts = [[int(((first == i) & (second == j)).sum()) for j in (1, 0)] for i in (1, 0)]
    expected = mcnemar(counts, exact=True).pvalue
    assert mcnemar_clustered(table_of(first), table_of(second)) == pytest.approx(expected)


def test_mcnemar_without_a_difference_is_1() -> None:
    assert mcnemar_clustered(table_of([1, 0]), table_of([1, 0])) == 1.0
