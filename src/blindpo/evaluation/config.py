"""What `blindpo evaluate` can be told, and what `--rejudge` can."""

from dataclasses import asdict, dataclass
from typing import Any

from blindpo.answer.config import CHANGE_NO_ANSWER, AnswerConfig
from blindpo.answer.views import DEFAULT_VIEWS, require_views
from blindpo.errors import ConfigError
from blindpo.evaluation.judges.options import CHANGE_NO_VERDICT, JudgeOptions
from blindpo.evaluation.judges.table import require_judge
from blindpo.stats.clusters import NUM_DRAWS


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


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(AnswerConfig, RejudgeConfig):
    """How responses are made, besides."""

    likelihoods: bool = True
    """Whether chosen and rejected are scored, which `pairwise_accuracy` reads."""
    views: tuple[str, ...] = DEFAULT_VIEWS
    """How each row is asked: as_is, text, mid, removed, blank, swapped, safe_image."""
    safe_images: str | None = None
    """A folder of harmless images for the view safe_image; without one, drawn scenes are shown."""

    def __post_init__(self) -> None:
        RejudgeConfig.__post_init__(self)
        AnswerConfig.__post_init__(self)
        require_views(self.views)
        if self.safe_images is not None and "safe_image" not in self.views:
            raise ConfigError("safe_images has no effect without the view safe_image; add it to views, or leave it out")

    def identity(self) -> dict[str, Any]:
        """What tells runs apart: options that change neither answers nor verdicts may be chosen anew."""
        return {key: value for key, value in RejudgeConfig.identity(self).items() if key not in CHANGE_NO_ANSWER}
