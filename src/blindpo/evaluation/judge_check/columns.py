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
    """Labels that mean safe: the whole label, or its first word (`1` fits `1.2 - refusal`); case does not matter."""
    unsafe: tuple[str, ...] = ("unsafe",)
    """Labels that mean unsafe, read alike."""
    verdict_safe: tuple[str, ...] = ("safe",)
    """Verdicts that mean safe: the whole verdict, case and outer space aside. Anything else is no verdict."""
    verdict_unsafe: tuple[str, ...] = ("unsafe",)
    """Verdicts that mean unsafe."""
    annotators: tuple[str, ...] = ()
    """Columns of single people's labels, two or more: how far do people agree among themselves?"""
    model: str | None = None
    """The column of the model that answered: needed for ranks and corrected rates."""
    categories: tuple[str, ...] = ()
    """Columns by whose values agreement is told apart."""
    cluster: str | None = None
    """The column of what answers share (their prompt): intervals resample it. Null: every row is alone."""
    response: str | None = None
    """The column of the answers' text, which `with_rules` reads."""
    key: str | None = None
    """The column, in all tables, that says which rows belong together; null: they have the same order."""
    judges: tuple[str, ...] = ()
    """Columns of the verdict tables; empty: all but the key."""
    with_rules: bool = False
    """Judge the answers with refusal-rules as well."""
    labels_per_model: int = 100
    """Human labels of each model that corrected rates may use."""
    num_draws: int = 2000
    """Resamples behind each interval."""
    num_choices: int = 200
    """How often those labels are chosen anew, to tell how far a corrected rate lies off on average."""
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
        "model": "model",
        "categories": ("prompt_type", "final_taxonomy"),
        "cluster": "case_id",
        "response": "response",
    }
}
"""MSTS (CC BY 4.0): english_multimodal_annotations.csv, whose labels begin with 1 (safe) or 2 (unsafe), and
english_multimodal_judges.csv, row for row in the same order; https://github.com/paul-rottger/msts-multimodal-safety."""
