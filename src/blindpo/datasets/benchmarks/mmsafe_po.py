"""MMSafe-PO's test split as a benchmark: the format's rows, read from the layout of the released folder.

The row's `extra` keeps `mid_prompt`, the stage between the textual twin and the question, so that the three views
`text`, `deictic` and `as_is` need no other data.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from blindpo.datasets.download import Download
from blindpo.datasets.formats.mmsafe_po import MMSafePO
from blindpo.datasets.source import Card
from blindpo.errors import ImageError
from blindpo.rows.row import ImageRef

_FILES: Final = ("test.json", "datasets/test.json")


class MMSafePOTest(MMSafePO):
    """The benchmark `mmsafe-po-test`."""

    name = "mmsafe-po-test"
    card = Card(
        name="mmsafe-po-test",
        title="MMSafe-PO, test split",
        num_rows=275,
        size="275 rows, 190 images, half of them with history",
        measures="safety of answers to multimodal instructions made from HH red-team dialogues",
        licence="Apache-2.0; text derived from Anthropic HH-RLHF, MIT",
        url="https://github.com/Lu-Yang666/MMsafe-PO",
        fetch="fetch datasets/test.json and the images from https://github.com/Lu-Yang666/MMsafe-PO "
        "and put them into DIR as test.json and images/",
        layout="the released test split",
        protocols=(
            "mmsafe/safety-rate/ours",
            "mmsafe/pairwise-likelihood",
            "mmsafe/pairwise-prompted",
            "mmsafe/cheating",
        ),
    )

    def files(self, download: Download) -> list[str]:
        """The one JSON file."""
        return [download.first(*_FILES)]

    def records(self, download: Download) -> Sequence[Any]:
        """The released list."""
        records = download.json(self.files(download)[0])
        return records if isinstance(records, list) else []

    def image(self, name: str, download: Download) -> ImageRef:
        """The image of this name below `images/`."""
        if not (download.folder / "images").is_dir():
            raise ImageError(f"the folder images/ is missing; {self.card.fetch}", field="image")
        return replace(download.image(f"images/{name}"), file=name)
