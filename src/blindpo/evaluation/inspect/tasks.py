"""Our rows as Inspect tasks: any data folder, and the benchmarks by name."""

from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import generate

from blindpo.evaluation.inspect.samples import sample_of
from blindpo.evaluation.inspect.scorers import judged
from blindpo.rows.shards import read_rows


@task
def rows(data: str, judge: str = "refusal-rules", max_tokens: int = 256) -> Task:
    """Every row of the data folder `data`, greedily answered and judged by `judge`."""
    folder = Path(data).resolve()
    samples = [sample_of(row, folder) for row in read_rows(folder)]
    return Task(
        dataset=MemoryDataset(samples, name=folder.name),
        solver=generate(),
        scorer=judged(judge),
        config=GenerateConfig(temperature=0.0, max_tokens=max_tokens),
        metadata={"judge": judge},
    )


@task
def mmsafe_po(data: str, judge: str = "refusal-rules", max_tokens: int = 256) -> Task:
    """MMSafe-PO rows, as `blindpo import mmsafe-po` (or the benchmark mmsafe-po-test) writes them."""
    return rows(data, judge, max_tokens)
