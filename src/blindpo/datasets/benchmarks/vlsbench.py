"""VLSBench (Hu et al., https://arxiv.org/abs/2411.19939): the risk is in the image and does not leak into the text.

Layout as in the hub's card and public loaders: `data.json` with instruction_id, instruction, image_path, category,
sub_category; images in `imgs/` (from imgs.tar).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card


class VlsBench(ItemBenchmark):
    """The benchmark `vlsbench`."""

    card = Card(
        name="vlsbench",
        title="VLSBench",
        num_rows=2241,
        size="2,241 requests, 6 categories, 19 subcategories",
        measures="whether the risk in the image is seen: refuse, warn or answer",
        licence="Apache-2.0",
        url="https://huggingface.co/datasets/Foreshhh/vlsbench",
        fetch="fetch data.json and imgs.tar of https://huggingface.co/datasets/Foreshhh/vlsbench into DIR and unpack "
        "the tar to DIR/imgs; for its judge's prompt also utils.py of https://github.com/AI45Lab/VLSBench",
        revision="b56f6f6aad102fdb53f46e35fec96836bbe13001",
        layout="the layout as two public loaders document it; utils.py of the published code",
        protocols=("vlsbench/official", "vlsbench/safe/ours"),
    )

    def files(self, download: Download) -> list[str]:
        """The one JSON file."""
        return [f"{download.root('data.json')}data.json"]

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of root and record."""
        root = download.root("data.json")
        return [(root, record) for record in download.json_list(f"{root}data.json")]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per record."""
        root, fields = record
        name = text_of(fields, "image_path").rsplit("/", 1)[-1]
        yield BenchmarkItem(
            item_id=str(fields.get("instruction_id", number)),
            text=text_of(fields, "instruction"),
            images=(f"{root}imgs/{name}",),
            label="harmful",
            categories=texts_of(fields, "category", "sub_category"),
        )
