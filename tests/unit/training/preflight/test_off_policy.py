"""How off-policy responses are, by hand."""

import math

from blindpo.training.preflight.off_policy import per_token, policy_distance


def test_distance_from_the_policy_by_hand() -> None:
    assert per_token([-4.0, -1.0], [4, 2]) == -0.75
    pairs = {"chosen": [(-8.0, 4)], "rejected": [(-3.0, 3)], "blind": [(-2.0, 4)]}
    found = policy_distance(pairs)
    assert found is not None and (found.chosen, found.rejected, found.blind) == (-2.0, -1.0, -0.5)
    assert "far off-policy" in found.verdict and f"{math.exp(1.5):.2g} times less likely" in found.verdict
    near = policy_distance({**pairs, "chosen": [(-0.6, 1)]})
    assert near is not None and "near the reference's own answers" in near.verdict
    middle = policy_distance({**pairs, "chosen": [(-1.5, 1)]})
    assert middle is not None and middle.verdict.startswith("chosen responses are off-policy")
    alone = policy_distance({**pairs, "blind": []})
    assert alone is not None and "nothing of its own" in alone.verdict and "blind" not in alone.to_json()
    assert policy_distance({"chosen": [], "rejected": []}) is None
