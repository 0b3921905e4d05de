"""VLSBench (Hu et al., https://arxiv.org/abs/2411.19939): the risk stands in the image and does not leak into the text.

Layout as the hub's card and public loaders give it: `data.json` with instruction_id, instruction, image_path,
category, sub_category; pictures in `imgs/` (from imgs.tar).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from blindpo.datasets.benchmarks.base import Item, ItemBenchmark, text_of, words_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import SourceError


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
        """(root, record) each."""
        root = download.root("data.json")
        found = download.json(f"{root}data.json")
        if not isinstance(found, list):
            raise SourceError(f"{download.folder / root / 'data.json'} is no JSON list; {download.fetch}")
        return [(root, record) for record in found]

    def items(self, record: Any, number: int, download: Download) -> Iterator[Item]:
        """One item per record."""
        root, found = record
        name = text_of(found, "image_path").rsplit("/", 1)[-1]
        yield Item(
            item_id=str(found.get("instruction_id", number)),
            text=text_of(found, "instruction"),
            images=(f"{root}imgs/{name}",),
            label="harmful",
            categories=words_of(found, "category", "sub_category"),
        )
