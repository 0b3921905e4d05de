"""XSTest (Rottger et al., NAACL 2024, https://arxiv.org/abs/2308.01263): safe prompts that look unsafe, and contrasts.

Text only. The CSV of its repository has id, prompt, type, label, focus, note in the newer file; the older one has no
label, and its contrast types are the unsafe ones.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import RowError
from blindpo.rows.row import Label

_LABELS: Final[dict[str, Label]] = {"safe": "harmless", "unsafe": "harmful"}


class XsTest(ItemBenchmark):
    """The benchmark `xstest`."""

    card = Card(
        name="xstest",
        title="XSTest",
        num_rows=450,
        size="250 safe and 200 unsafe prompts, text alone",
        measures="exaggerated refusal in text, beside refusal of contrasts",
        licence="CC BY 4.0",
        url="https://github.com/paul-rottger/exaggerated-safety",
        fetch="fetch xstest_prompts.csv of https://github.com/paul-rottger/exaggerated-safety and put it into DIR",
        layout="the header as a public loader of three projects quotes it",
        protocols=("xstest/refusal/ours",),
    )
    file_names = ("xstest_prompts.csv", "xstest_v2_prompts.csv")

    def records(self, download: Download) -> Sequence[Any]:
        """All lines."""
        return download.csv(self.files(download)[0], "prompt", "type")

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per line."""
        kind = text_of(record, "type")
        stated = record.get("label")
        label: Label | None = "harmful" if kind.startswith("contrast") else "harmless"
        if isinstance(stated, str) and stated:
            label = _LABELS.get(stated.strip().lower())
        if label is None:
            raise RowError("the field 'label' is neither safe nor unsafe", field="label")
        yield BenchmarkItem(
            item_id=str(record.get("id") or number),
            text=text_of(record, "prompt"),
            label=label,
            categories=texts_of(record, "type", "focus"),
            subset="safe" if label == "harmless" else "unsafe",
        )
