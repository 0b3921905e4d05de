"""A judge that is a model: a prompt (what is asked) and a text model (who answers).

Everything that can be missing is looked up at once; the model is loaded or connected only when the first case comes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from blindpo.errors import ConfigError, SourceError
from blindpo.evaluation.judges.guards.table import guard_prompt
from blindpo.evaluation.judges.judge import Case, Judge
from blindpo.evaluation.judges.options import ChatJudgeOptions, JudgeOptions
from blindpo.evaluation.judges.prompts import JudgePrompt, OurPrompt, ask_judge
from blindpo.evaluation.judges.verdict import Verdict
from blindpo.models.chat.cached import Kept
from blindpo.models.chat.client import ChatModel
from blindpo.models.chat.config import ChatConfig
from blindpo.models.chat.interface import TextModel
from blindpo.models.chat.replies import ReplyStore
from blindpo.models.vlm.source import fingerprint, resolve_model
from blindpo.rows.row import PreferenceRow

REPLIES: Final = "judge-replies.jsonl"
"""The judge's raw answers while a run is not finished; afterwards they are stored with the verdicts."""


class ModelJudge:
    """Asks a text model by a prompt."""

    def __init__(
        self, name: str, prompt: JudgePrompt, open_model: Callable[[Path], TextModel], model: Mapping[str, Any]
    ) -> None:
        """`open_model` loads or connects, with what it keeps in the folder it gets; `model` is its identity."""
        self.name = name
        self.identity = {"name": name, "prompt": prompt.id, "prompt_sha256": prompt.sha256, "model": dict(model)}
        self._prompt = prompt
        self._open = open_model

    def require(self, row: PreferenceRow) -> None:
        """Any row will do."""

    def verdicts(self, cases: Iterable[Case], work: Path) -> Iterator[Verdict]:
        """One verdict for each case, in order."""
        return ask_judge(self._prompt, self._open(work), cases, judge=self.name)


def chat_judge(name: str, model: str, options: JudgeOptions) -> Judge:
    """Our prompt over an OpenAI-compatible server. Raises ModelError where the package, address or key is missing."""
    return _on_server(name, our_prompt(options), options.chat_config(model))


def _on_server(name: str, prompt: JudgePrompt, config: ChatConfig) -> Judge:
    def connect(work: Path) -> TextModel:
        return ChatModel(config, store=ReplyStore(work / REPLIES))

    # the identity asks for package, address and key: what is missing is told before a model under test is loaded
    return ModelJudge(name, prompt, connect, ChatModel(config).identity)


def vlm_judge(name: str, model: str, options: JudgeOptions) -> Judge:
    """Our prompt with a vision-language model in this process. Raises ModelError where there is none."""
    source = resolve_model(model)

    def load(work: Path) -> TextModel:
        from blindpo.models.chat.local import LocalTextModel  # torch
        from blindpo.models.vlm.load import load_vlm

        vlm = load_vlm(source, dtype=options.judge_dtype)
        local = LocalTextModel(name, vlm, batch_size=options.judge_batch_size)
        return Kept(local, ReplyStore(work / REPLIES))

    return ModelJudge(name, our_prompt(options), load, {"fingerprint": fingerprint(source)})


def guard_judge(name: str, model: str, options: JudgeOptions) -> Judge:
    """A local guard. Raises ConfigError where its family is not known, ModelError where there is no such model."""
    family, _, rest = model.partition(":")
    prompt = guard_prompt(family if rest else None, rest or model, options, words=_prompt_file(options))
    source = resolve_model(rest or model)

    def load(work: Path) -> TextModel:
        from blindpo.models.classifiers.guard_model import load_guard  # torch

        guard = load_guard(name, source, dtype=options.judge_dtype, batch_size=options.judge_batch_size,
                           generation_prompt=prompt.generation_prompt)  # fmt: skip
        return Kept(guard, ReplyStore(work / REPLIES))

    return ModelJudge(name, prompt, load, {"fingerprint": fingerprint(source), "template": "its own"})


def served_guard_judge(name: str, model: str, options: JudgeOptions) -> Judge:
    """A guard behind an OpenAI-compatible server, which applies the guard's chat template. Raises as both kinds do."""
    family, _, rest = model.partition(":")
    prompt = guard_prompt(family if rest else None, rest or model, options, words=_prompt_file(options))
    return _on_server(name, prompt, options.chat_config(rest or model))


def our_prompt(options: ChatJudgeOptions) -> OurPrompt:
    """Our prompt as the judge's options set it."""
    return OurPrompt(options.judge_max_tokens, instructions=options.judge_instructions)


def _prompt_file(options: JudgeOptions) -> str | None:
    if options.judge_prompt_file is None:
        return None
    path = Path(options.judge_prompt_file)
    try:
        words = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"judge_prompt_file {path} cannot be read as UTF-8 text; give the guard's prompt") from error
    if "{answer}" not in words:
        raise ConfigError(f"judge_prompt_file {path} has no {{answer}}, where the response goes; see docs/judges.md")
    return words
