"""SPA-VL's test sets, HarmEval and HelpEval (Zhang et al., https://arxiv.org/abs/2406.12030), from its Parquet files.

A text-only data set of another group is also called HarmEval; this one is the 265 image questions of `test/harm`. The
three class columns keep the spelling of the data. HelpEval's requests carry no statement about harm
(its judge has an answer for "neither is harmless"), so their label stays unknown.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import RowError

_CLASSES: Final = ("class1", "class2", "class3")


class SpaVl(ItemBenchmark):
    """The benchmarks `spavl-harmeval` and `spavl-helpeval`."""

    def __init__(self, part: Literal["harm", "help"]) -> None:
        self.part = part
        harm = part == "harm"
        self.card = Card(
            name=f"spavl-{part}eval",
            title="SPA-VL HarmEval" if harm else "SPA-VL HelpEval",
            num_rows=265,
            size="265 image questions in three levels of classes",
            measures="unsafe answers to harmful image questions (USR)"
            if harm
            else "helpfulness, as a win rate (protocols EVAL --against EVAL2)",
            licence="CC BY 4.0",
            url="https://huggingface.co/datasets/sqrti/SPA-VL",
            fetch=f"fetch test/{part}-*.parquet of https://huggingface.co/datasets/sqrti/SPA-VL and put it into "
            f"DIR/test (hf download sqrti/SPA-VL --repo-type dataset --include 'test/*' --local-dir DIR)",
            layout="the data set's card: columns image, question, class1, class2, class3",
            protocols=("harmeval/mdjudge-v0.1", "harmeval/mdjudge-v0.2-eta", "harmeval/usr/ours")
            if harm
            else ("helpeval/safety/ours",),
        )

    def files(self, download: Download) -> list[str]:
        """The part's Parquet files."""
        names = (f"test/{self.part}-*.parquet", f"test/{self.part}/*.parquet", f"{self.part}-*.parquet")
        return download.glob(*names)

    def records(self, download: Download) -> Sequence[Any]:
        """All records of the part."""
        return download.parquet(*self.files(download))

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per record; the image is inside the file."""
        image = record.get("image") if isinstance(record, dict) else None
        data = image.get("bytes") if isinstance(image, dict) else None
        if not isinstance(data, bytes) or not data:
            raise RowError("the column 'image' holds no bytes", field="image")
        yield BenchmarkItem(
            item_id=str(number),
            text=text_of(record, "question"),
            images=(data,),
            label="harmful" if self.part == "harm" else "unknown",
            categories=texts_of(record, *_CLASSES),
            subset=self.part,
        )
