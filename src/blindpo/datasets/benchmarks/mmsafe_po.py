"""MMSafe-PO's test split as a benchmark: the format's rows, whatever else the release keeps with them.

Read from the released test split. The row's `extra` keeps `mid_prompt`, the stage between the textual twin and the
question, so that the three-way probe (views `text`, `mid`, `as_is`) needs no other data.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import Card
from blindpo.datasets.benchmarks.download import Download
from blindpo.datasets.formats.mmsafe_po import MMSafePO
from blindpo.errors import ImageError
from blindpo.rows.row import PreferenceRow

_FILES: Final = ("test.json", "datasets/test.json")


class MMSafePoTest:
    """The benchmark `mmsafe-po-test`."""

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
        found = download.json(self.files(download)[0])
        return found if isinstance(found, list) else []

    def rows(self, record: Any, number: int, download: Download) -> Iterator[PreferenceRow]:
        """The format's row."""
        images = download.folder / "images"
        if not images.is_dir():
            raise ImageError(f"the folder images/ is missing; {self.card.fetch}", field="image")
        name = record.get("image") if isinstance(record, dict) else None
        if isinstance(name, str) and name:
            download.image(f"images/{name}")
        row_id = MMSafePO().record_ids([record])[0]
        own = row_id if "record-" not in row_id else f"mmsafe-po-record-{number}"
        yield MMSafePO().to_row(record, own, images)
