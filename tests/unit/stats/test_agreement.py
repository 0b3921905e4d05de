"""Kappas and alpha: published worked examples, statsmodels, and the trap of labels that are words."""

import numpy as np
import pytest
from scipy.stats import kendalltau
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as their_fleiss

from blindpo.stats.agreement import Confusion, cohen_kappa, confusion, fleiss_kappa, kendall, krippendorff_alpha

FLEISS_1971_STYLE = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
"""14 raters, 10 items, 5 categories; the worked example of https://en.wikipedia.org/wiki/Fleiss%27_kappa (0.210)."""
_ = None
KRIPPENDORFF_2011 = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
"""Section C of "Computing Krippendorff's alpha-reliability" (2011): four observers, twelve units, missing labels."""


def test_cohens_kappa_by_hand() -> None:
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_cohens_kappa_is_statsmodels() -> None:
    random = np.random.default_rng(3)
    first, second = random.integers(0, 4, 200), random.integers(0, 4, 200)
    table = np.zeros((4, 4))
    np.add.at(table, (first, second), 1)
    assert cohen_kappa(first.tolist(), second.tolist()) == pytest.approx(cohens_kappa(table).kappa)


def test_where_chance_agrees_always_kappa_is_not_defined() -> None:
    assert cohen_kappa(["safe"] * 9, ["safe"] * 9) is None
    assert cohen_kappa([], []) is None
    assert fleiss_kappa([[3, 0], [3, 0]]) is None
    with pytest.raises(ValueError, match="2 and 1 labels"):
        cohen_kappa([1, 2], [1])


def test_fleiss_kappa_of_the_published_example() -> None:
    assert fleiss_kappa(FLEISS_1971_STYLE) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa(FLEISS_1971_STYLE) == pytest.approx(their_fleiss(np.array(FLEISS_1971_STYLE)))


@pytest.mark.parametrize("counts", [[[1, 0]], [[2, 0], [2, 1]], [], [1, 2]])
def test_fleiss_kappa_needs_the_same_raters_everywhere(counts: list[object]) -> None:
    with pytest.raises(ValueError, match=r"raters|table"):
        fleiss_kappa(counts)


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_alpha_of_the_published_example(level: str, alpha: float) -> None:
    assert krippendorff_alpha(KRIPPENDORFF_2011, level=level) == pytest.approx(alpha, abs=5e-4)  # type: ignore[arg-type]


def test_labels_that_are_words_are_told_apart() -> None:
    """Inspect AI 0.3.285 takes unknown words for 0.0 and finds alpha 1 here."""
    numbers = [[0, 1, 0, 0, 1, 1], [1, 1, 0, 1, 0, 1]]
    words = [["safe" if label else "unsafe" for label in row] for row in numbers]
    assert krippendorff_alpha(words) == pytest.approx(krippendorff_alpha(numbers))
    assert krippendorff_alpha(words) == pytest.approx(1 - 11 * 6 / (2 * 5 * 7), abs=1e-9)


def test_without_two_labels_or_two_kinds_alpha_is_not_defined() -> None:
    assert krippendorff_alpha([["a", None], [None, "b"]]) is None
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None
    with pytest.raises(ValueError, match="an entry for each item"):
        krippendorff_alpha([["a"], ["a", "b"]])


def test_confusion_by_hand() -> None:
    found = confusion([1, 1, 0, 0, 0], [1, 0, 1, 0, 0])
    assert (found.both, found.judge_only, found.people_only, found.neither, found.total) == (1, 1, 1, 2, 5)
    measures = {name: float(value) for name, value in found.measures().items()}
    assert measures == pytest.approx(
        {
            "kappa": (0.6 - 0.52) / 0.48,
            "precision": 0.5,
            "recall": 0.5,
            "specificity": 2 / 3,
            "flag_rate": 0.4,
            "people_rate": 0.4,
        }
    )
    assert measures["kappa"] == pytest.approx(cohen_kappa([1, 1, 0, 0, 0], [1, 0, 1, 0, 0]))


def test_what_is_not_defined_is_nan_one_by_one() -> None:
    counts = Confusion(
        both=np.array([0, 1]), judge_only=np.array([0, 1]), people_only=np.array([0, 1]), neither=np.array([4, 1])
    )
    found = counts.measures()
    assert np.isnan([found["kappa"][0], found["precision"][0], found["recall"][0]]).all()
    assert (found["flag_rate"][0], found["specificity"][0], found["kappa"][1]) == (0.0, 1.0, 0.0)


def test_rank_agreement_is_scipys_tau_b_and_gamma_drops_ties() -> None:
    random = np.random.default_rng(7)
    first, second = random.integers(0, 6, (50, 9)).astype(float), random.integers(0, 6, (50, 9)).astype(float)
    tau, gamma = kendall(first, second)
    assert tau == pytest.approx([kendalltau(a, b).statistic for a, b in zip(first, second, strict=True)])
    assert kendall(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 3.0, 2.0]])) == (pytest.approx(1 / 3),) * 2
    assert kendall(np.array([[1.0, 1.0, 3.0]]), np.array([[1.0, 3.0, 4.0]]))[1] == pytest.approx(1.0)
    assert np.isnan(kendall(np.array([[1.0, 1.0]]), np.array([[1.0, 2.0]]))).all()
    assert (np.abs(gamma) >= np.abs(tau) - 1e-12).all()
