"""How a judge that is a model is asked. An option that the chosen judge does not read is refused."""

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from blindpo.errors import ConfigError
from blindpo.jobs.settings import changed_keys, option
from blindpo.models.chat.config import ChatConfig, ServerConfig

SERVED: Final = ("chat", "served")
OUR_PROMPT_KINDS: Final = ("chat", "vlm")
LOCAL: Final = ("hf", "vlm")
GUARDS: Final = ("hf", "served")
MODEL_KINDS: Final = ("chat", "hf", "served", "vlm")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatJudgeOptions:
    """How a judge behind a chat server is asked, by our prompt."""

    judge_server: ServerConfig = option(default_factory=ServerConfig, read_by=SERVED)
    """The server of a judge chat:MODEL or served:MODEL."""
    judge_temperature: float | None = option(0.0, read_by=SERVED)
    """The temperature that a judge chat:MODEL or served:MODEL is asked with. 0 asks for the likeliest verdict; null
    sends no temperature, for models that take none."""
    judge_max_tokens: int = option(256, read_by=MODEL_KINDS)
    """The most tokens of one verdict, 1 or more. Models that think aloud need more than the default."""
    judge_instructions: Literal["system", "user"] = option("system", read_by=OUR_PROMPT_KINDS)
    """The turn that holds the instructions of a judge chat:MODEL or vlm:MODEL. Use user for models whose chat template
    has no system turn."""

    def chat_config(self, model: str) -> ChatConfig:
        """The judge that the server knows as `model`."""
        return ChatConfig(model=model, server=self.judge_server, temperature=self.judge_temperature)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions(ChatJudgeOptions):
    """How any judge that is a model is asked."""

    judge_dtype: str = option("float32", read_by=LOCAL)
    """The type of the weights of a judge hf:MODEL or vlm:MODEL: float32, bfloat16 or float16."""
    judge_batch_size: int = option(8, changes_result=False, read_by=LOCAL)
    """How many verdicts a judge hf:MODEL or vlm:MODEL makes together, 1 or more. It changes the speed alone."""
    judge_prompt_file: str | None = option(None, read_by=GUARDS)
    """A file with the prompt of a guard hf:MODEL or served:MODEL whose chat template holds none. {question} and
    {answer} are filled in."""
    judge_controversial: Literal["unsafe", "safe"] = option("unsafe", read_by=GUARDS)
    """What the third label of Qwen3Guard counts as."""
    judge_allow_missing: bool = option(False, changes_result=False, read_by=MODEL_KINDS)
    """Finish although the judge could not be asked about some responses. There are bounds then, and no rate."""

    def require_effect(self, kinds: set[str]) -> None:
        """Raise ConfigError for an option that none of the judge's `kinds` (chat, served, vlm, hf, rules) reads."""
        for each in fields(JudgeOptions):
            readers = each.metadata["read_by"]
            idle = [] if kinds & set(readers) else changed_keys(self, each.name)
            if idle:
                read_by = ", ".join(f"{kind}:" for kind in readers)
                raise ConfigError(f"{idle[0]} has no effect with this judge; it is read by: {read_by}")
        if self.judge_max_tokens < 1 or self.judge_batch_size < 1:
            raise ConfigError("judge_max_tokens and judge_batch_size must be 1 or more")


def idle_options(kinds: set[str]) -> dict[str, Any]:
    """The options that no judge of these `kinds` reads, each at its default."""
    defaults = JudgeOptions()
    names = [each.name for each in fields(JudgeOptions) if not kinds & set(each.metadata["read_by"])]
    return {name: getattr(defaults, name) for name in names}
