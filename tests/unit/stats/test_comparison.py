"""Clustered exact tests and verdicts: worked by hand, by brute force, and 'no difference shown' where none was."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest

from blindpo.stats.clusters import ItemTable
from blindpo.stats.comparison import NO_DIFFERENCE, compare
from blindpo.stats.paired import mcnemar_clustered


def table(value: Sequence[float], cluster: Sequence[int] | None = None, *, first: int = 0) -> ItemTable:
    alone = range(len(value))
    return ItemTable(
        value=np.array(value, dtype=np.float64),
        image_cluster=np.array(alone if cluster is None else cluster, dtype=np.int64),
        dialogue_cluster=np.array(alone, dtype=np.int64),
        key=tuple(str(first + number) for number in alone),
    )


def generator(_a: str, _b: str) -> np.random.Generator:
    return np.random.default_rng(0)


def mcnemar_exact(a: Sequence[float], b: Sequence[float]) -> float:
    """McNemar's exact test of independent items, as SciPy has it: is each side right alone as often as the other?"""
    only_a = sum(one > other for one, other in zip(a, b, strict=True))
    only_b = sum(one < other for one, other in zip(a, b, strict=True))
    return float(binomtest(min(only_a, only_b), only_a + only_b, 0.5).pvalue)


def test_clusters_of_one_give_mcnemars_exact_test() -> None:
    a, b = [1] * 9 + [0] + [1] * 5, [0] * 9 + [1] + [1] * 5
    assert mcnemar_clustered(table(a), table(b)) == pytest.approx(mcnemar_exact(a, b))
    assert mcnemar_clustered(table(a), table(a)) == 1.0


def test_whole_clusters_fall_at_once() -> None:
    cluster = [0, 0, 0, 1, 2]
    assert mcnemar_clustered(table([1] * 5, cluster), table([0] * 5, cluster)) == pytest.approx(0.25)
    assert mcnemar_clustered(table([1] * 5), table([0] * 5)) == pytest.approx(0.0625)


def test_the_distribution_is_that_of_all_falls() -> None:
    random = np.random.default_rng(8)
    cluster = random.integers(0, 9, 40).tolist()
    a, b = random.integers(0, 2, 40), random.integers(0, 2, 40)
    nets = np.bincount(cluster, weights=a - b)
    falls = [abs(np.dot(signs, nets)) for signs in product((-1, 1), repeat=len(nets))]
    expected = np.mean([fall >= abs(nets.sum()) - 1e-9 for fall in falls])
    alone = mcnemar_exact(a.tolist(), b.tolist())
    found = mcnemar_clustered(table(a.tolist(), cluster), table(b.tolist(), cluster))
    assert found == pytest.approx(max(expected, alone))
    assert expected > alone


def test_an_exact_test_needs_yes_or_no() -> None:
    with pytest.raises(ValueError, match="yes-or-no"):
        mcnemar_clustered(table([0.5, 1.0]), table([0.0, 0.0]))


def test_a_clear_difference_is_told_with_its_direction() -> None:
    good, bad = table([1] * 40 + [0] * 10), table([0] * 30 + [1] * 10 + [0] * 10)
    (found,) = compare({"good": good, "bad": bad}, generator=generator)
    assert (found.a, found.b, found.verdict) == ("good", "bad", "higher")
    assert found.difference.value == pytest.approx(0.6)
    (back,) = compare({"bad": bad, "good": good}, generator=generator)
    assert back.verdict == "lower"
    assert back.to_json()["verdict"] == "lower"


def test_no_difference_shown_says_what_could_have_been_shown() -> None:
    a, b = [1, 0] * 50, [0, 1] * 10 + [1, 0] * 40
    (found,) = compare({"a": table(a), "b": table(b)}, generator=generator)
    assert found.verdict == NO_DIFFERENCE
    assert found.p_value == 1.0
    assert found.could_show == pytest.approx(0.123, abs=0.005)


def test_one_lucky_pair_among_many_is_no_finding() -> None:
    """Six to none is p 0.031 alone, and no finding among three comparisons."""
    base, other = [0] * 60, [1] * 6 + [0] * 54
    tables = {"a": table(base), "b": table(other)}
    assert compare(tables, generator=generator)[0].verdict == "lower"
    three = compare({**tables, "c": table([0] * 3 + [1] * 3 + [0] * 54)}, generator=generator)
    assert three[0].p_value == pytest.approx(0.03125)
    assert three[0].adjusted_p == pytest.approx(3 * 0.03125)
    assert three[0].verdict == NO_DIFFERENCE


def test_without_shared_items_there_is_no_data() -> None:
    (found,) = compare({"a": table([1, 0]), "b": table([1, 0], first=5)}, generator=generator)
    assert (found.verdict, found.p_value, found.could_show) == ("no data", None, None)


def test_measures_that_are_not_yes_or_no_go_by_their_interval() -> None:
    (found,) = compare({"a": table([0.9] * 30), "b": table([0.2, 0.3] * 15)}, generator=generator)
    assert (found.p_value, found.adjusted_p, found.verdict) == (None, None, "higher")


def test_only_the_pairs_that_were_asked_for_share_the_adjustment() -> None:
    tables = {"a": table([0] * 60), "b": table([1] * 6 + [0] * 54), "c": table([0] * 60)}
    (only,) = compare(tables, generator=generator, pairs=[("b", "a")])
    assert (only.a, only.b, only.verdict, only.adjusted_p) == ("b", "a", "higher", only.p_value)
