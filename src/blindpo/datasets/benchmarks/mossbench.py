"""MOSSBench (Li et al., https://arxiv.org/abs/2406.17806): benign requests that look harmful and so are refused.

Layout as its published code reads it: `data/images_information/information.json`, an object by number, each with
question, image and `metadata.over` (which of three stimuli). For tests only: its authors forbid training on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import SourceError

_INFORMATION: Final = "images_information/information.json"


class MossBench(ItemBenchmark):
    """The benchmark `mossbench`."""

    card = Card(
        name="mossbench",
        title="MOSSBench",
        num_rows=300,
        size="300 benign requests, three stimuli of 100",
        measures="over-refusal: the share of benign requests that are refused",
        licence="CC BY-SA 4.0, for tests only",
        url="https://github.com/xirui-li/MOSSBench",
        fetch="clone https://github.com/xirui-li/MOSSBench at revision 8d68b0614b39d8990a508e03d99975832f399db2 "
        "into DIR (its hub copy lacks information.json)",
        revision="8d68b0614b39d8990a508e03d99975832f399db2",
        layout="the published code (MOSSBench/utils/utils.py, evaluation/Evaluator.py)",
        protocols=("mossbench/official", "mossbench/fixed", "mossbench/refusal/ours"),
    )

    def files(self, download: Download) -> list[str]:
        """The one JSON file."""
        return [f"{download.root('images_information')}{_INFORMATION}"]

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of root, number and record."""
        root = download.root("images_information")
        content = download.json(f"{root}{_INFORMATION}")
        if not isinstance(content, dict):
            raise SourceError(f"{download.folder / root / _INFORMATION} is not a JSON object; {download.fetch}")
        return [(root, key, record) for key, record in content.items()]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per record."""
        root, key, fields = record
        metadata = fields.get("metadata") if isinstance(fields, Mapping) else None
        yield BenchmarkItem(
            item_id=str(key),
            text=text_of(fields, "question"),
            images=(f"{root}{text_of(fields, 'image')}",),
            label="harmless",
            categories=texts_of(metadata if isinstance(metadata, Mapping) else {}, "over"),
        )
