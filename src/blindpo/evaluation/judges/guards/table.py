"""The one list of guard families, and how a model's name tells its family."""

import re
from collections.abc import Callable
from typing import Final

from blindpo.errors import ConfigError
from blindpo.evaluation.judges.guards.llama_guard import LlamaGuard
from blindpo.evaluation.judges.guards.llava_guard import LlavaGuard
from blindpo.evaluation.judges.guards.material import GuardPrompt
from blindpo.evaluation.judges.guards.md_judge import MdJudge
from blindpo.evaluation.judges.guards.qwen3guard import Qwen3Guard
from blindpo.evaluation.judges.options import JudgeOptions

FAMILIES: Final[dict[str, Callable[[JudgeOptions, str | None], GuardPrompt]]] = {
    "llama-guard-3-vision": lambda _, __: LlamaGuard(1, generation_prompt=False),
    "llama-guard-4": lambda _, __: LlamaGuard(None, generation_prompt=True),
    "llama-guard-3": lambda _, __: LlamaGuard(0, generation_prompt=False),
    "qwen3guard": lambda options, _: Qwen3Guard(options.judge_controversial),
    "llavaguard": lambda _, words: LlavaGuard(words),
    "md-judge": lambda _, words: MdJudge(words),
}
PUBLISHED_NAMES: Final = (
    (re.compile(r"llama-guard-3.*vision"), "llama-guard-3-vision"),
    (re.compile(r"llama-guard-4"), "llama-guard-4"),
    (re.compile(r"llama-guard-3"), "llama-guard-3"),
    (re.compile(r"qwen3guard-gen"), "qwen3guard"),
    (re.compile(r"llavaguard"), "llavaguard"),
    (re.compile(r"md-judge"), "md-judge"),
)
"""Parts of the names under which the models are published, in lower case; the first that fits."""
READS_FILE: Final = ("llavaguard", "md-judge")


def guard_prompt(family: str | None, model: str, options: JudgeOptions, *, words: str | None) -> GuardPrompt:
    """The prompt and parser of a guard. Raises ConfigError where its family is not known, or an option is idle."""
    known = family or next((name for pattern, name in PUBLISHED_NAMES if pattern.search(model.lower())), None)
    if known not in FAMILIES:
        raise ConfigError(
            f"--judge hf:{model}: no guard family is known by this name; say it: hf:FAMILY:MODEL with FAMILY one of "
            f"{', '.join(FAMILIES)}"
        )
    if words is not None and known not in READS_FILE:
        raise ConfigError(f"judge_prompt_file has no effect with {known}, whose chat template holds its prompt")
    if options.judge_controversial != "unsafe" and known != "qwen3guard":
        raise ConfigError(f"judge_controversial has no effect with {known}, which has no such label")
    return FAMILIES[known](options, words)
