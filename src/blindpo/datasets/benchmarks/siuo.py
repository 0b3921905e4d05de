"""SIUO (Wang et al., https://arxiv.org/abs/2406.15279): safe image, safe text, unsafe together; generation part.

Layout as its published code reads it: `siuo_gen.json` with question_id, image, question, category, safety_warning and
reference; images in `images/` (or both under `data/`). No source says that a request is harmful on its own: the label
stays unknown, and an answer has to be safe and effective.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card


class Siuo(ItemBenchmark):
    """The benchmark `siuo`."""

    card = Card(
        name="siuo",
        title="SIUO, generation",
        num_rows=167,
        size="167 requests, 9 domains",
        measures="answers that are safe and effective where only image and text together are unsafe",
        licence="CC BY-NC 4.0",
        url="https://huggingface.co/datasets/sinwang/SIUO",
        fetch="fetch siuo_gen.json and images/ of https://huggingface.co/datasets/sinwang/SIUO into DIR; for its "
        "judge's prompts also eval/gpt-eval.py of https://github.com/sinwang20/SIUO",
        layout="the published code (eval/generation-gpt4o-gen.py, eval/gpt-eval.py)",
        protocols=("siuo/safe-official", "siuo/effective-official", "siuo/safe/ours"),
    )

    def files(self, download: Download) -> list[str]:
        """The one JSON file."""
        return [f"{download.root('siuo_gen.json')}siuo_gen.json"]

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of root and record."""
        root = download.root("siuo_gen.json")
        return [(root, record) for record in download.json_list(f"{root}siuo_gen.json")]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per record; the warning and the reference are kept for the judge."""
        root, fields = record
        image = text_of(fields, "image").lstrip("/")
        meta = {key: fields[key] for key in ("safety_warning", "reference") if isinstance(fields.get(key), str)}
        yield BenchmarkItem(
            item_id=str(fields.get("question_id", number)),
            text=text_of(fields, "question"),
            images=(f"{root}images/{image}",),
            label="unknown",
            categories=texts_of(fields, "category"),
            meta=meta,
        )
