"""The keys of a build recipe: all that differs between the paper's recipe and ours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from blindpo.errors import ConfigError
from blindpo.images.base import SourceConfig
from blindpo.jobs.settings import option
from blindpo.models.chat.config import ServerConfig

DEFAULT_FILTERS: Final = (
    "unsound", "duplicate-dialogue", "role-marker", "over-long", "short-entity", "leak-question", "leak-history",
    "leak-part", "no-deictic", "one-row-per-dialogue",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig(SourceConfig):
    """The options for making multimodal rows from text-only ones; `SourceConfig` holds those of the image sources."""

    recognizers: tuple[str, ...] = ("catalogue",)
    """Who finds entities in a text: catalogue, capitalised, hf:MODEL. Where two mentions overlap, the recogniser named
    first wins."""
    min_entity_score: float = 0.5
    """Mentions that a recogniser is less sure of than this are dropped. From 0 to 1."""
    max_entities: int = 16
    """The most entities of one dialogue that are followed, in the order of the text. A list of names is no dialogue."""
    sources: tuple[str, ...] = ("catalogue",)
    """The image sources, in the order in which they are asked: catalogue, wikipedia, knowledge-graph."""
    unanswered: Literal["stop", "drop"] = option("stop", changes_result=False)
    """What happens when a source cannot be asked. stop: the build stops, and the next run asks again; drop: the rows of
    those entities are dropped."""
    min_image_px: int = 64
    """The smallest length of an image's shorter side, in pixels."""
    near_duplicates: Literal["refuse", "allow"] = "refuse"
    """What happens to an image that looks the same as the image of an entity with another title."""
    agreement: str = "none"
    """Who checks that image and name agree: none, or hf:MODEL (a model like CLIP)."""
    min_agreement: float = 0.2
    """The smallest cosine between image and name that passes. Its scale is the model's own."""
    rephrase: str = "template"
    """Who words the instruction: template, chat:MODEL (an OpenAI-compatible server) or vlm:MODEL (in this process).
    Where a model's text does not pass our checks, the template's text is kept, with the reason."""
    template: Literal["default", "paper"] = "default"
    """default: the image goes to the first turn that names the entity, and every mention is replaced. paper: the image
    goes to the last user turn, the first mention there is replaced, and the history stays as it is."""
    filters: tuple[str, ...] = DEFAULT_FILTERS
    """The rules that reject a row. docs/building.md explains each."""
    flags: tuple[str, ...] = ("leak-response",)
    """The rules that only mark a row: their names are written into its `extra`, and are counted."""
    max_words: int = 1024
    """The most words of a row's prompt and longer response together, for the rule over-long."""
    categorise: str = "none"
    """Who gives harm categories: none, rules (the words of the taxonomy), chat:MODEL or vlm:MODEL."""
    taxonomy: str = option("", changes_result=False)
    """A YAML file of categories. Without it, the one in the package is used."""
    twins: str = "none"
    """Who judges which rows get a benign twin: none, chat:MODEL or vlm:MODEL."""
    twin_images: int = 3
    """How many other images are tried for the twin of one row, 1 or more."""
    twin_answers: str = "none"
    """Who answers twins, so that they can be trained on: none (they serve evaluation alone), template, chat:MODEL or
    vlm:MODEL."""
    rewriter_server: ServerConfig = option(default_factory=ServerConfig)
    """The server of every model chat:MODEL of this build, whatever it is asked for."""
    replies: str = option("", changes_result=False)
    """A file that keeps what chat models replied, for further builds. Without it, replies are kept until this build is
    done."""
    rewrites: int = 3
    """How often a model is asked for one instruction before the template's text is taken, 1 or more."""
    rewrite_temperature: float = 0.5
    """The temperature of the model that rewords instructions, 0 or more. At 0 a second try mostly repeats the first."""
    test_share: float = 0.0
    """The share of dialogues that go to the split "test" where the source names no split. From 0 to 1."""
    seed: int = 42
    """Fixes the choice of phrases and the split."""
    shard_dialogues: int = 256
    """How many dialogues are worked on between two saves, 1 or more. A kill loses one such shard per process at
    most."""

    def __post_init__(self) -> None:
        """Raise ConfigError for values out of range."""
        for name in ("recognizers", "sources"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty; name at least one")
        for name in ("max_entities", "min_image_px", "max_words", "shard_dialogues", "rewrites", "twin_images"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.rewrite_temperature < 0:
            raise ConfigError(f"rewrite_temperature is {self.rewrite_temperature}; it must be 0 or more")
        for name in ("min_entity_score", "test_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
        if self.twins == "none" and self.twin_answers != "none":
            raise ConfigError("twin_answers has no effect without twins; name a judge with twins=chat:MODEL")
        if self.agreement != "none" and not self.agreement.startswith("hf:"):
            raise ConfigError(f"agreement is '{self.agreement}'; allowed: none, hf:MODEL")

    @property
    def taxonomy_file(self) -> Path:
        """The file of categories."""
        return Path(self.taxonomy) if self.taxonomy else Path(__file__).with_name("taxonomy.yaml")
