"""The keys of a build recipe. The recipes of the paper's way and of ours differ in these alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from blindpo.errors import ConfigError
from blindpo.images.base import SourceConfig

DEFAULT_FILTERS: Final = (
    "unsound",
    "duplicate-dialogue",
    "role-marker",
    "over-long",
    "short-entity",
    "leak-question",
    "leak-history",
    "leak-part",
    "no-deictic",
    "one-row-per-dialogue",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig(SourceConfig):
    """How multimodal rows are made of text-only ones; `SourceConfig` holds the keys of the image sources."""

    recognizers: tuple[str, ...] = ("catalogue",)
    """Who finds entities: catalogue, capitalised, hf:MODEL. Where two overlap, the one named first is taken."""
    min_entity_score: float = 0.5
    """Mentions that a recogniser is less sure of are dropped."""
    max_entities: int = 16
    """Entities of one dialogue that are followed, in the order of the text; a list of names is no dialogue."""
    sources: tuple[str, ...] = ("catalogue",)
    """Image sources in the order in which they are asked (images/table.py)."""
    unanswered: Literal["stop", "drop"] = "stop"
    """When a source cannot be asked: stop, so that the next run asks again, or drop those entities' rows."""
    min_image_px: int = 64
    """Pixels of the shorter side."""
    near_duplicates: Literal["refuse", "allow"] = "refuse"
    """What becomes of an image that is, to the eye, the one of an entity of another title."""
    agreement: str = "none"
    """Who checks that image and name agree: none, or hf:MODEL (CLIP-like)."""
    min_agreement: float = 0.2
    """Smallest cosine between image and name; its scale is the model's own."""
    rephrase: str = "template"
    """Who words the instruction: template, chat:MODEL (an OpenAI-compatible server) or vlm:MODEL (in this process).
    Where a model's text does not pass the checks of building/rewrite.py, the template's is kept, with the reason."""
    template: Literal["default", "paper"] = "default"
    """default: the image moves to the first turn that names the entity, and every mention is replaced.
    paper: it stands in the last user turn, the first mention there is replaced, the history stays as it is."""
    filters: tuple[str, ...] = DEFAULT_FILTERS
    """Rules (building/filters.py) that reject a row."""
    flags: tuple[str, ...] = ("leak-response",)
    """Rules that only mark it: they stand in its `extra`, and are counted."""
    max_words: int = 1024
    """Of prompt and longer response together, for the rule over-long."""
    categorise: str = "none"
    """Who gives harm categories: none, rules (words of the taxonomy), chat:MODEL or vlm:MODEL."""
    taxonomy: str = ""
    """A YAML file of categories; empty is the one in the package (building/taxonomy.yaml)."""
    twins: str = "none"
    """Who judges which rows get a benign twin (building/twins.py): none, chat:MODEL or vlm:MODEL."""
    twin_images: int = 3
    """How many other images are tried for one row."""
    twin_answers: str = "none"
    """Who answers twins, so that they train: none (for evaluation alone), template, chat:MODEL or vlm:MODEL."""
    chat_url: str = ""
    """Base URL of the chat server, up to and with /v1; empty is $OPENAI_BASE_URL."""
    chat_concurrency: int = 8
    """Requests in flight."""
    chat_budget_tokens: int = 0
    """Tokens that one run may spend at the chat server; 0 is without limit."""
    replies: str = ""
    """A file that keeps what chat models replied, for further builds; empty keeps it until this build is done."""
    rewrites: int = 3
    """How often a model is asked for one instruction before the template's text is taken."""
    rewrite_temperature: float = 0.5
    """Of the rewriter, 0 or more; at 0 a second try is mostly the first again."""
    test_share: float = 0.0
    """Share of dialogues that go to the split "test" where the source says no split; from 0 to below 1."""
    seed: int = 42
    """Of the choice of phrases and of the split."""
    shard_dialogues: int = 256
    """Dialogues worked on between two saves; a kill loses one such shard a process at most."""

    def __post_init__(self) -> None:
        """Refuse values out of range. Raises ConfigError."""
        for name in ("recognizers", "sources"):
            if not getattr(self, name):
                raise ConfigError(f"{name} is empty; name at least one")
        for name in (
            "max_entities",
            "min_image_px",
            "max_words",
            "shard_dialogues",
            "rewrites",
            "chat_concurrency",
            "twin_images",
        ):
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
