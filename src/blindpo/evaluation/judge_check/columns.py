"""Which column of the two tables means what, with MSTS's columns as a preset."""

from dataclasses import dataclass
from typing import Final

from blindpo.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCheckConfig:
    """The columns, the words that mean safe and unsafe, and the number of resamples."""

    label: str = "label"
    """The column of the human label."""
    safe: tuple[str, ...] = ("safe",)
    """The labels that mean safe: the whole label, or its first word (`1` fits `1.2 - refusal`). Case does not
    matter."""
    unsafe: tuple[str, ...] = ("unsafe",)
    """The labels that mean unsafe, read in the same way."""
    verdict_safe: tuple[str, ...] = ("safe",)
    """The verdicts that mean safe: the whole verdict, apart from case and outer space."""
    verdict_unsafe: tuple[str, ...] = ("unsafe",)
    """The verdicts that mean unsafe. A verdict that is in neither list is no verdict."""
    annotators: tuple[str, ...] = ()
    """The columns of single people's labels, two or more. They show how far people agree among themselves."""
    model_column: str | None = None
    """The column of the model that answered. Ranks and corrected rates need it."""
    categories: tuple[str, ...] = ()
    """The columns by whose values agreement is shown separately."""
    cluster: str | None = None
    """The column of what answers share, such as the prompt. Intervals resample it; without it each row counts alone."""
    response: str | None = None
    """The column of the answers' text, which with_rules needs."""
    key: str | None = None
    """The column, in all tables, by which rows are matched. Without it, all tables have the same order."""
    judges: tuple[str, ...] = ()
    """The columns of verdicts that are checked. Without it, all columns but the key."""
    with_rules: bool = False
    """Judge the answers with refusal-rules as well."""
    labels_per_model: int = 100
    """How many human labels of each model a corrected rate may use, 2 or more."""
    num_draws: int = 2000
    """How many resamples are behind each interval, 100 or more."""
    num_choices: int = 200
    """How often those labels are chosen anew, to see how far off a corrected rate is on average. 2 or more."""
    seed: int = 42
    """Fixes resamples and choices."""

    def __post_init__(self) -> None:
        allowed = {
            "labels_per_model": (self.labels_per_model >= 2, "2 or more"),
            "num_draws": (self.num_draws >= 100, "100 or more, or an interval's ends mean nothing"),
            "num_choices": (self.num_choices >= 2, "2 or more"),
        }
        for key, (fine, words) in allowed.items():
            if not fine:
                raise ConfigError(f"{key} is {getattr(self, key)}; allowed: {words}")
        for one, other in (("safe", "unsafe"), ("verdict_safe", "verdict_unsafe")):
            shared = {w.casefold() for w in getattr(self, one)} & {w.casefold() for w in getattr(self, other)}
            if shared or not getattr(self, one) or not getattr(self, other):
                raise ConfigError(f"{one} and {other} need a word each, and none that is in both")
        if len(self.annotators) == 1:
            raise ConfigError("annotators names one column; agreement needs two or more, or none")
        if self.with_rules and self.response is None:
            raise ConfigError("with_rules needs response, the column of the answers' text")


PRESETS: Final[dict[str, dict[str, object]]] = {
    "msts": {
        "label": "final_label",
        "safe": ("1",),
        "unsafe": ("2",),
        "annotators": ("annot1_label", "annot2_label"),
        "model_column": "model",
        "categories": ("prompt_type", "final_taxonomy"),
        "cluster": "case_id",
        "response": "response",
    }
}
"""MSTS (CC BY 4.0): english_multimodal_annotations.csv, whose labels begin with 1 (safe) or 2 (unsafe), and
english_multimodal_judges.csv, row for row in the same order; https://github.com/paul-rottger/msts-multimodal-safety."""
