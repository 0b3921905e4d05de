"""What the demo compares, a sentence each: its conditions and its models. The page and the terminal say the same."""

from typing import Final

CONDITION_TEXTS: Final = {
    "paper_like_offpolicy": (
        "Pairs about dangerous things alone; every rejected answer is in another model's words, as in data made from "
        "HH-RLHF."
    ),
    "paper_like_onpolicy": "The same kind of pairs, but the rejected answers are in the model's own words.",
    "benign_twins": (
        "Every dangerous row has a benign twin, the same text with a harmless picture; 70 % of the rejected answers "
        "are in another model's words."
    ),
}
MODEL_TEXTS: Final = {
    "base": "the model before preference training",
    "dpo": "trained on chosen against rejected answers",
    "dpo_equal_compute": "DPO with half as many updates again, since BPO reads three answers a row where DPO reads two",
    "bpo": "DPO's pairs, and chosen answers against those that the base gave without seeing the image",
    "sight": (
        "BPO's loss, but the base saw the image when it gave the extra answers: what BPO has over it is due to "
        "blindness, not to more answers"
    ),
}
ONE_SEED: Final = "One seed: this says nothing about other seeds."
