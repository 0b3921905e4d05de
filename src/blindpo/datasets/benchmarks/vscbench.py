"""VSCBench, image-centric part (Geng et al., ACL 2025 Findings, https://arxiv.org/abs/2505.20362).

Layout as its published code reads it: `vscbench_image_centric.xlsx` with Prompt, Category, safe_img_0..2 and
unsafe_img_0..2; images in `vscbench_image_centric_images/CATEGORY/`. Each prompt is asked with six images, so its
`pair_id` links three harmless and three harmful rows.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.rows.row import Label

_NUM_IMAGES: Final = 3
_SIDES: Final[dict[str, Label]] = {"safe": "harmless", "unsafe": "harmful"}
_SHEET: Final = "vscbench_image_centric.xlsx"


class VscBench(ItemBenchmark):
    """The benchmark `vscbench-image`."""

    card = Card(
        name="vscbench-image",
        title="VSCBench, image-centric",
        num_rows=1800,
        size="300 prompts x (3 safe + 3 unsafe images), 6 categories",
        measures="safety calibration: the same prompt under safe and unsafe images",
        licence="none stated",
        url="https://github.com/jiahuigeng/VSCBench",
        fetch="fetch the full data set by the link in the README of https://github.com/jiahuigeng/VSCBench and unpack "
        "it into DIR (vscbench_image_centric.xlsx, vscbench_image_centric_images/, and utils_eval.py for its rules)",
        layout="the published code (image_centric_collection.py, data_checker.py)",
        cheating=True,
        protocols=("vscbench/string-official", "vscbench/gpt-official"),
    )
    file_names = (_SHEET,)

    def records(self, download: Download) -> Sequence[Any]:
        """The first sheet's lines."""
        columns = [f"{side}_img_{n}" for side in _SIDES for n in range(_NUM_IMAGES)]
        return download.xlsx(_SHEET, "Prompt", "Category", *columns)

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """Six items per prompt."""
        category, prompt = text_of(record, "Category"), text_of(record, "Prompt")
        for side, label in _SIDES.items():
            for n in range(_NUM_IMAGES):
                name = text_of(record, f"{side}_img_{n}")
                yield BenchmarkItem(
                    item_id=f"{number}-{side}-{n}",
                    text=prompt,
                    images=(f"vscbench_image_centric_images/{category}/{name}",),
                    label=label,
                    categories=(category,),
                    pair=str(number),
                    cluster=str(number),
                    subset=side,
                )
