"""The models that a recipe names for writing text: `chat:MODEL` behind a server, `vlm:MODEL` in this process."""

from pathlib import Path
from typing import Final

from blindpo.building.config import BuildConfig
from blindpo.errors import ConfigError, UnansweredError
from blindpo.models.chat.interface import TextModel, TextReply
from blindpo.models.vlm.source import resolve_model

KINDS: Final = ("chat:", "vlm:")


def is_model(name: str) -> bool:
    """Return whether `name` names a model, not a built-in rule."""
    return name.startswith(KINDS)


def require_known(name: str, allowed: tuple[str, ...], key: str) -> None:
    """Raise ConfigError if `name` is neither one of `allowed` nor a model."""
    if name not in allowed and not (is_model(name) and name.partition(":")[2]):
        raise ConfigError(f"{key} is '{name}'; allowed: {', '.join(allowed)}, chat:MODEL, vlm:MODEL")


def find_model(name: str, config: BuildConfig, work: Path, *, temperature: float = 0.0) -> TextModel:
    """Return the model called `name`, greedy by default; a chat server's replies are kept. Raises ModelError."""
    kind, _, model = name.partition(":")
    if kind == "vlm":
        # torch is heavy, and only a local model needs it
        from blindpo.models.chat.local import LocalTextModel
        from blindpo.models.vlm.load import load_vlm

        return LocalTextModel(name, load_vlm(resolve_model(model)), temperature=temperature, seed=config.seed)
    from blindpo.models.chat.client import ChatModel
    from blindpo.models.chat.config import ChatConfig
    from blindpo.models.chat.replies import ReplyStore

    settings = ChatConfig(model=model, server=config.rewriter_server, temperature=temperature, seed=config.seed)
    store = ReplyStore(Path(config.replies) if config.replies else work / "replies.jsonl")
    return ChatModel(settings, store=store)


def require_answer(reply: TextReply, model: TextModel, *, stop: bool, hint: str = "") -> None:
    """Raise UnansweredError for a reply that may come later, if the build is to stop there."""
    if reply.again and stop:
        raise UnansweredError(f"{model.name} gave no answer ({reply.failure}); run the same command again{hint}")
