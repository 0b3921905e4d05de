"""MSTS (Rottger et al., https://arxiv.org/abs/2501.10057): unsafe only as image and text together, in two phrasings.

Layout as in its repository: `data/prompts/english_multimodal.csv` with case_id, prompt_text, prompt_type,
unsafe_image_id and the hazard columns; images `data/unsafe_images/ID.jpg` or `.png`, which its script downloads.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card

_TABLE: Final = "prompts/english_multimodal.csv"


class Msts(ItemBenchmark):
    """The benchmark `msts`."""

    card = Card(
        name="msts",
        title="MSTS (English)",
        num_rows=400,
        size="200 cases x 2 phrasings, 40 hazards",
        measures="unsafe answers; its 4,000 human-labelled answers validate judges (see judge-check)",
        licence="CC BY 4.0",
        url="https://github.com/paul-rottger/msts-multimodal-safety",
        fetch="clone https://github.com/paul-rottger/msts-multimodal-safety into DIR and run its "
        "src/0_download_images.py, which fills data/unsafe_images",
        layout="the published code (src/run_model.py, src/0_download_images.py) and its English annotations",
        protocols=("msts/unsafe/ours",),
    )

    def files(self, download: Download) -> list[str]:
        """The English table."""
        return [f"{download.root('prompts')}{_TABLE}"]

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of root and line."""
        root = download.root("prompts")
        return [(root, line) for line in download.csv(f"{root}{_TABLE}", "prompt_text", "unsafe_image_id")]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per line; both phrasings of a case share the image."""
        root, line = record
        image = text_of(line, "unsafe_image_id")
        stem = f"{root}unsafe_images/{image}"
        own = next((str(line[key]) for key in ("case_id", "prompt_id") if line.get(key)), str(number))
        yield BenchmarkItem(
            item_id=own,
            text=text_of(line, "prompt_text"),
            images=(f"{stem}.png" if download.has(f"{stem}.png") else f"{stem}.jpg",),
            label="harmful",
            categories=texts_of(line, "hazard_category", "hazard_subcategory", "prompt_type"),
            cluster=image,
            subset=line.get("prompt_type"),
        )
