"""What `blindpo evaluate` can be told, and what `--rejudge` can."""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

from blindpo.answer.views import DEFAULT_VIEWS, require_views
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.options import CHANGE_NO_VERDICT, JudgeOptions
from blindpo.evaluation.judges.table import require_judge
from blindpo.stats.clusters import NUM_DRAWS

if TYPE_CHECKING:
    from blindpo.models.vlm.generate import GenerationConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class RejudgeConfig(JudgeOptions):
    """The judge, and how intervals are drawn."""

    judge: str
    """oracle, refusal-rules, none, chat:MODEL, vlm:MODEL, hf:MODEL, served:MODEL, panel:A+B+C; see docs/judges.md."""
    num_draws: int = NUM_DRAWS
    """Resamples behind each bootstrap interval."""
    interval_seed: int = 42
    """Fixes the resamples."""

    def __post_init__(self) -> None:
        require_judge(self.judge, self)
        if self.num_draws < 100:
            raise ConfigError(
                f"num_draws is {self.num_draws}; allowed: 100 or more, or an interval's ends mean nothing"
            )

    def identity(self) -> dict[str, Any]:
        """What tells runs apart: all but the options that change no verdict, which the next try may choose anew."""
        return {key: value for key, value in asdict(self).items() if key not in CHANGE_NO_VERDICT}


CHANGE_NO_ANSWER: Final = (
    "model_key_env",
    "model_concurrency",
    "model_retries",
    "model_timeout_seconds",
    "model_budget_tokens",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateConfig(RejudgeConfig):
    """How responses are made, besides."""

    max_new_tokens: int = 256
    """A response that is longer is cut there, and marked."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    """Sample among the most likely tokens that hold this share of the probability."""
    top_k: int = 0
    """Sample among so many most likely tokens; 0 is all."""
    seed: int = 42
    """With row id and view it fixes a sampled response."""
    batch_size: int = 16
    """Prompts generated together."""
    shard_rows: int = 64
    """Rows whose responses are stored together: a kill loses so many at most."""
    likelihoods: bool = True
    """Whether chosen and rejected are scored, which `pairwise_accuracy` reads."""
    dtype: str = "float32"
    """Of the weights: float32, bfloat16 or float16."""
    views: tuple[str, ...] = DEFAULT_VIEWS
    """How each row is asked: as_is, text, mid, removed, blank, swapped, safe_image."""
    safe_images: str | None = None
    """A folder of harmless pictures for the view safe_image; without one, drawn scenes are shown."""
    image_padding: Literal["as_saved", "none", "square"] = "as_saved"
    """square: pictures are padded to a square in the processor's mean colour (LLaVA-1.5); none; or as it was saved."""

    model_base_url: str | None = None
    """Of a model chat:NAME: the server, up to and with /v1; else $OPENAI_BASE_URL, else OpenAI's own."""
    model_key_env: str = "OPENAI_API_KEY"
    """Of a model chat:NAME: the environment variable that holds the key."""
    model_concurrency: int = 8
    """Of a model chat:NAME: requests in flight."""
    model_retries: int = 5
    """Of a model chat:NAME: how often a request is sent again."""
    model_timeout_seconds: float = 120.0
    """Of a model chat:NAME: how long one try may take."""
    model_budget_tokens: int | None = None
    """Of a model chat:NAME: tokens that one run may spend; null is without limit."""

    def __post_init__(self) -> None:
        RejudgeConfig.__post_init__(self)
        require_views(self.views)
        if self.safe_images is not None and "safe_image" not in self.views:
            raise ConfigError("safe_images has no effect without the view safe_image; add it to views, or leave it out")
        if self.shard_rows < 1:
            raise ConfigError(f"shard_rows is {self.shard_rows}; allowed: 1 or more")
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ConfigError(f"dtype is {self.dtype}; allowed: float32, bfloat16, float16")
        self.generation()

    def identity(self) -> dict[str, Any]:
        """What tells runs apart: options that change no answer may be chosen anew by the next try."""
        return {key: value for key, value in RejudgeConfig.identity(self).items() if key not in CHANGE_NO_ANSWER}

    def require_options(self, kind: str) -> None:
        """Raise ConfigError for a `model_` option that has no effect, since the model is no `chat:` one."""
        if kind == "chat":
            return
        for field in fields(self):
            if field.name.startswith("model_") and getattr(self, field.name) != field.default:
                raise ConfigError(f"{field.name} has no effect; it is for a model chat:NAME")

    def generation(self) -> "GenerationConfig":
        """These settings as generation reads them. Raises ConfigError for one that is out of range."""
        from blindpo.models.vlm.generate import GenerationConfig  # torch: only where responses are made

        return GenerationConfig(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            seed=self.seed,
            batch_size=self.batch_size,
        )
