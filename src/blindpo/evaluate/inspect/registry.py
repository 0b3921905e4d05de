"""What Inspect registers when it loads the entry point: the tasks, the scorer, the metric and the provider."""

from blindpo.evaluate.inspect.provider import blindpo
from blindpo.evaluate.inspect.scorers import blindpo_measures, judged
from blindpo.evaluate.inspect.tasks import mmsafe_po, rows

__all__ = ["mmsafe_po", "rows", "judged", "blindpo_measures", "blindpo"]
