"""VLGuard's test split (Zong et al., ICML 2024, https://arxiv.org/abs/2402.02207).

Layout as its published code reads it: `test.json`, images under `test/`. An unsafe image has one instruction; a
safe one has a safe and an unsafe instruction (subsets unsafes, safe_safes, safe_unsafes): the same image with two
texts, so these are not pairs in our sense (same text, two images).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import RowError
from blindpo.rows.row import Label

_SAFE: Final[dict[str, tuple[str, Label]]] = {
    "safe_safes": ("safe_instruction", "harmless"),
    "safe_unsafes": ("unsafe_instruction", "harmful"),
}


class VlGuard(ItemBenchmark):
    """The benchmark `vlguard`."""

    card = Card(
        name="vlguard",
        title="VLGuard, test split",
        num_rows=1558,
        size="1,000 images, 1,558 instructions: 442 unsafe, 558 safe images with a safe and an unsafe one",
        measures="attack success on unsafe images and unsafe texts; over-refusal on safe images with safe texts",
        licence="none in the repository; the hub asks for agreement",
        url="https://huggingface.co/datasets/ys-zong/VLGuard",
        fetch="fetch test.json and test.zip of https://huggingface.co/datasets/ys-zong/VLGuard into DIR and unpack "
        "the zip to DIR/test; for its string list also utils/utils.py of https://github.com/ys-zong/VLGuard",
        layout="the published code (VLGuard_eval.py, utils/utils.py)",
        protocols=("vlguard/string-official", "vlguard/string-fixed", "vlguard/asr/ours"),
    )
    file_names = ("test.json", "data/test.json")

    def records(self, download: Download) -> Sequence[Any]:
        """The list of images with their instructions."""
        return download.json_list(self.files(download)[0])

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per instruction."""
        pairs = record.get("instr-resp") if isinstance(record, Mapping) else None
        if not isinstance(pairs, list) or not pairs or not isinstance(record.get("safe"), bool):
            raise RowError("the fields 'safe' (true or false) and 'instr-resp' (a list) are needed", field="instr-resp")
        if not record["safe"]:
            yield self._item(record, number, download, subset="unsafes", text=text_of(pairs[0], "instruction"))
            return
        for subset, (key, _) in _SAFE.items():
            holder = next((pair for pair in pairs if isinstance(pair, Mapping) and key in pair), None)
            yield self._item(record, number, download, subset=subset, text=text_of(holder, key))

    def _item(self, record: Any, number: int, download: Download, *, subset: str, text: str) -> BenchmarkItem:
        name = text_of(record, "image")
        prefix = "test/" if download.has(f"test/{name}") or not download.has(f"data/test/{name}") else "data/test/"
        return BenchmarkItem(
            item_id=f"{number}-{subset}",
            text=text,
            images=(f"{prefix}{name}",),
            label="harmful" if subset == "unsafes" else _SAFE[subset][1],
            categories=texts_of(record, "harmful_category", "harmful_subcategory"),
            cluster=name,
            subset=subset,
        )
