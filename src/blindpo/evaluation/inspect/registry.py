"""What Inspect registers when it loads the entry point: the tasks, the scorer, the metric and the provider."""

from blindpo.evaluation.inspect.provider import blindpo
from blindpo.evaluation.inspect.scorers import blindpo_measures, judged
from blindpo.evaluation.inspect.tasks import mmsafe_po, rows

__all__ = ["mmsafe_po", "rows", "judged", "blindpo_measures", "blindpo"]
