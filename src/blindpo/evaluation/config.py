"""The keys of `blindpo evaluate`, and of `blindpo rejudge` and `merge`, which ask a judge alone."""

from dataclasses import dataclass
from typing import Any

from blindpo.answer.config import AnswerConfig
from blindpo.answer.views import require_views
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.options import JudgeOptions
from blindpo.evaluation.judges.table import require_judge
from blindpo.jobs.settings import identity_of
from blindpo.rows.view_names import DEFAULT_VIEWS, View
from blindpo.stats.clusters import NUM_DRAWS


@dataclass(frozen=True, slots=True, kw_only=True)
class RejudgeConfig(JudgeOptions):
    """The judge, and how intervals are drawn."""

    judge: str
    """Who judges the responses: oracle (the rows' own truth), refusal-rules (weak), none, chat:MODEL (any
    OpenAI-compatible server), vlm:MODEL (the same prompt, a local model), hf:MODEL (a local guard), served:MODEL (a
    guard behind a server) or panel:A+B+C (the majority). docs/judges.md explains each."""
    num_draws: int = NUM_DRAWS
    """How many resamples are behind each bootstrap interval, 100 or more."""
    interval_seed: int = 42
    """Fixes the resamples."""

    def __post_init__(self) -> None:
        require_judge(self.judge, self)
        if self.num_draws < 100:
            raise ConfigError(
                f"num_draws is {self.num_draws}; allowed: 100 or more, or an interval's ends mean nothing"
            )

    def identity(self) -> dict[str, Any]:
        """What tells runs apart: all but the options that change no result, which the next try may choose anew."""
        return identity_of(self)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(AnswerConfig, RejudgeConfig):
    """How responses are made and judged."""

    likelihoods: bool = True
    """Score the chosen and the rejected response of each row, which the measure pairwise_accuracy needs. A model behind
    a chat server cannot do it."""
    views: tuple[View, ...] = DEFAULT_VIEWS
    """What the model is shown of each row: as_is, text, deictic, removed, blank, swapped, safe_image, noise."""
    safe_images: str | None = None
    """A folder of harmless images for the view safe_image. Without it, drawn scenes are shown."""

    def __post_init__(self) -> None:
        RejudgeConfig.__post_init__(self)
        AnswerConfig.__post_init__(self)
        require_views(self.views)
        if self.safe_images is not None and "safe_image" not in self.views:
            raise ConfigError("safe_images has no effect without the view safe_image; add it to views, or leave it out")
