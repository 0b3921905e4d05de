"""The one list of judges: words of `--judge` to judges.

    oracle               the rows' own truth                 vlm:MODEL    our chat prompt, a local VLM
    refusal-rules        opening phrases; weak               hf:MODEL     a local guard, by its own prompt and form
    none                 no verdict at all, so no rate       panel:A+B+C  the majority of several
    chat:MODEL           our chat prompt, any                served:MODEL a guard behind an OpenAI-compatible server,
                         OpenAI-compatible server, images                 which applies its chat template

MODEL of vlm: and hf: is a folder or ID@REVISION. A guard's family is read from that name, or said: hf:qwen3guard:MODEL.
"""

from typing import Final

from blindpo.errors import ConfigError
from blindpo.evaluation.judges.judge import BatchJudge, Judge, RuleJudge
from blindpo.evaluation.judges.model_judges import chat_judge, guard_judge, served_guard_judge, vlm_judge
from blindpo.evaluation.judges.options import JudgeOptions
from blindpo.evaluation.judges.oracle import Oracle
from blindpo.evaluation.judges.panel import Panel
from blindpo.evaluation.judges.rules import NoJudge, RefusalRules

__all__ = ["JUDGES", "BatchJudge", "Judge", "RuleJudge", "find_judge", "require_judge"]
JUDGES: Final[dict[str, type[RuleJudge]]] = {"oracle": Oracle, "refusal-rules": RefusalRules, "none": NoJudge}
MODEL_JUDGES: Final = {"chat": chat_judge, "vlm": vlm_judge, "hf": guard_judge, "served": served_guard_judge}
PANEL: Final = "panel:"


def require_judge(name: str, options: JudgeOptions) -> None:
    """Check the words alone, before anything is loaded. Raises ConfigError with all kinds, and for idle options."""
    options.require_effect(judge_kinds(name))


def judge_kinds(name: str) -> set[str]:
    """The kinds (chat, served, vlm, hf, rules) of the judge called `name`, those of all members of a panel."""
    return {_kind(member) for member in _members(name)}


def find_judge(name: str, options: JudgeOptions | None = None) -> Judge:
    """The judge called `name`. Raises ConfigError for its words, ModelError where it cannot be had."""
    options = options or JudgeOptions()
    require_judge(name, options)
    judges = [_single(member, options) for member in _members(name)]
    return Panel(name, judges) if name.startswith(PANEL) else judges[0]


def _members(name: str) -> list[str]:
    if not name.startswith(PANEL):
        return [name]
    members = name.removeprefix(PANEL).split("+")
    if len(members) < 2 or len(set(members)) != len(members):
        raise ConfigError(f"--judge {name}: a panel has two members or more, each another: panel:A+B+C")
    return members


def _kind(name: str) -> str:
    kind, colon, model = name.partition(":")
    if name in JUDGES:
        return "rules"
    if kind in MODEL_JUDGES and colon and model:
        return kind
    models = ", ".join(f"{kind}:MODEL" for kind in MODEL_JUDGES)
    raise ConfigError(f"--judge {name} is unknown; allowed: {', '.join(JUDGES)}, {models}, panel:A+B+C")


def _single(name: str, options: JudgeOptions) -> Judge:
    if name in JUDGES:
        return JUDGES[name]()
    kind, _, model = name.partition(":")
    return MODEL_JUDGES[kind](name, model, options)
