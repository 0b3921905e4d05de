"""The keys of `blindpo suite`: all of `blindpo evaluate`, and what is compared on which rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from blindpo.answer.answerer import CHAT
from blindpo.errors import ConfigError
from blindpo.evaluation.config import EvaluateConfig
from blindpo.evaluation.judges.options import idle_options
from blindpo.evaluation.judges.table import judge_kinds

GUARD: Final = "guard_set"


@dataclass(frozen=True, kw_only=True)
class SuiteConfig(EvaluateConfig):
    """How every model is evaluated, on which rows, under which protocols."""

    data: Mapping[str, Any]
    """Each set of rows by a name of your choice: a data folder, or {benchmark: NAME, dir: DIR, only: [WORDS]}."""
    guard_rows: int = 60
    """The number of rows of the guard set, which shows lost capability. 0 leaves it out."""
    guard_seed: int = 42
    """Fixes the rows of the guard set."""
    pairwise: tuple[str, ...] = ()
    """The sets whose pairs are also shown to the model, in both orders (protocol mmsafe/pairwise-prompted)."""
    protocols: tuple[str, ...] = ("all",)
    """The ids of protocols. all: whatever fits the rows and needs no more than there is; empty: none."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    """The download that holds a benchmark's own files, by the name of its set."""
    protocol_judge: str | None = None
    """The judge chat:MODEL of protocols that ask a model. judge_server and judge_temperature hold for it too."""

    def __post_init__(self) -> None:
        self.evaluation()
        if not self.data:
            raise ConfigError("data names no set of rows; give at least one 'NAME: DATA'")
        for name in (*self.data, GUARD):
            if "/" in name or name.startswith("."):
                raise ConfigError(f"data: '{name}' must be a plain name, since a folder is called so")
        for name in (*self.pairwise, *self.prompts):
            if name not in self.data:
                raise ConfigError(f"pairwise and prompts: '{name}' is none of the sets {', '.join(self.data)}")
        if self.guard_rows < 0:
            raise ConfigError(f"guard_rows is {self.guard_rows}; allowed: 0 or more")
        if self.protocol_judge is not None and not self.protocol_judge.startswith(CHAT):
            raise ConfigError(f"protocol_judge is {self.protocol_judge}; write it as chat:MODEL")
        self.require_effect(judge_kinds(self.judge) | ({"chat"} if self.protocol_judge else set()))

    def evaluation(self, **changes: Any) -> EvaluateConfig:
        """The configuration of one evaluation, without the options that its judge does not read."""
        values = {each.name: getattr(self, each.name) for each in fields(EvaluateConfig)} | changes
        return EvaluateConfig(**{**values, **idle_options(judge_kinds(values["judge"]))})


def parse_models(words: list[str]) -> dict[str, str]:
    """`NAME=MODEL` words. Raises ConfigError for one without a name, or with a name that occurs twice."""
    models: dict[str, str] = {}
    for word in words:
        name, equals, model = word.partition("=")
        if not equals or not name or not model or "/" in name or name in ("data", "scores"):
            raise ConfigError(f"--models {word}: write it as NAME=MODEL, such as bpo=runs/bpo (not data or scores)")
        if name in models:
            raise ConfigError(f"--models {word}: the name {name} occurs twice")
        models[name] = model
    return models
