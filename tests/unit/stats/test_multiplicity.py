"""Holm's adjustment: a worked example, and statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from blindpo.stats.multiplicity import holm


def test_holm_by_hand_and_statsmodels() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    values = np.random.default_rng(0).random(30) ** 3
    assert holm(values.tolist()) == pytest.approx(multipletests(values, method="holm")[1].tolist())
    assert holm([]) == []
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, float("nan")])
