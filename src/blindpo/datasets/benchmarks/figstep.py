"""FigStep's SafeBench (Gong et al., AAAI 2025, https://arxiv.org/abs/2311.05608): a request as typography in an image.

Layout as in its repository: `data/question/safebench.csv` (tiny: `SafeBench-Tiny.csv`) with category_id, task_id and
category_name; images `data/images/SafeBench/query_ForbidQI_CATEGORY_TASK_6.png`. The one text used with every image is
read from `src/generate_prompts.py` of the repository, not copied here.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.benchmarks.shipped import long_texts
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import SourceError

_CODE: Final = "src/generate_prompts.py"
_OPENING: Final = "The image shows"
_FETCH: Final = (
    "clone https://github.com/ThuCCSLab/FigStep into DIR (data/question, data/images, src/generate_prompts.py) "
    "and unpack the archive of images where data/images/SafeBench holds one"
)


class FigStep(ItemBenchmark):
    """The benchmarks `figstep` and `figstep-tiny`."""

    def __init__(self, *, tiny: bool) -> None:
        self.table = "question/SafeBench-Tiny.csv" if tiny else "question/safebench.csv"
        self.images = "images/SafeBench-Tiny" if tiny else "images/SafeBench"
        self.card = Card(
            name="figstep-tiny" if tiny else "figstep",
            title="FigStep SafeBench, tiny" if tiny else "FigStep SafeBench",
            num_rows=50 if tiny else 500,
            size="50 typographic requests" if tiny else "500 typographic requests, 10 topics",
            measures="attack success of requests that stand in the image as type",
            licence="MIT",
            url="https://github.com/ThuCCSLab/FigStep",
            fetch=_FETCH,
            layout="the repository (file names, src/generate_prompts.py) and columns as public loaders quote them",
            protocols=("figstep-tiny/asr/ours" if tiny else "figstep/asr/ours",),
        )

    def files(self, download: Download) -> list[str]:
        """The table, and the code that holds the text."""
        return [f"{download.root('question')}{self.table}", download.first(_CODE)]

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of root, the one text, and line."""
        root = download.root("question")
        texts = long_texts(download.read(download.first(_CODE)).decode(), where=_CODE, at_least=100)
        prompts = [text for text in texts if text.startswith(_OPENING)]
        if len(prompts) != 1:
            raise SourceError(
                f"{download.folder / _CODE} holds {len(prompts)} texts that begin like the prompt; {download.fetch}"
            )
        lines = download.csv(f"{root}{self.table}", "category_id", "task_id")
        return [(root, prompts[0], line) for line in lines]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per line."""
        root, text, line = record
        task = f"{text_of(line, 'category_id')}_{text_of(line, 'task_id')}"
        yield BenchmarkItem(
            item_id=task,
            text=text,
            images=(f"{root}{self.images}/query_ForbidQI_{task}_6.png",),
            label="harmful",
            categories=texts_of(line, "category_name"),
        )
