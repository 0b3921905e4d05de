"""HoliSafe-Bench (Lee et al., https://arxiv.org/abs/2506.04704): five combinations of safe and unsafe image and text.

Layout as in its README and evaluation code: `holisafe_bench.json` with id, image, query, type, category, subcategory;
images under `images/`. The last letter of the type says whether the combination is safe. Queries that occur both in a
safe and in an unsafe combination make pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import RowError

_TYPES: Final = ("SSS", "SSU", "USU", "UUU", "SUU")


class HoliSafe(ItemBenchmark):
    """The benchmark `holisafe`."""

    card = Card(
        name="holisafe",
        title="HoliSafe-Bench",
        num_rows=4031,
        size="4,031 requests, 1,796 images, 7 categories, 18 subcategories",
        measures="attack success by type of image and text (SSU, USU, UUU, SUU), refusal of safe ones (SSS)",
        licence="gated; agree on the hub",
        url="https://huggingface.co/datasets/etri-vilab/holisafe-bench",
        fetch="agree to the terms of https://huggingface.co/datasets/etri-vilab/holisafe-bench, then fetch "
        "holisafe_bench.json and images/ into DIR; for its string list also eval/eval_by_string_matching.py of "
        "https://github.com/youngwanLEE/holisafe",
        layout="the repository's README and eval/eval_by_string_matching.py",
        cheating=True,
        protocols=("holisafe/string-official", "holisafe/asr/ours"),
    )
    file_names = ("holisafe_bench.json",)

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of a record, and whether its query occurs both in a safe and in an unsafe combination."""
        records = download.json_list("holisafe_bench.json")
        ends: dict[str, set[str]] = defaultdict(set)
        for record in records:
            if isinstance(record, dict):
                ends[str(record.get("query"))].add(str(record.get("type"))[-1:])
        return [(record, isinstance(record, dict) and len(ends[str(record.get("query"))]) > 1) for record in records]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per record."""
        fields, paired = record
        kind = text_of(fields, "type")
        if kind not in _TYPES:
            raise RowError(f"the type is none of {', '.join(_TYPES)}", field="type")
        query, image = text_of(fields, "query"), text_of(fields, "image")
        yield BenchmarkItem(
            item_id=str(fields.get("id", number)),
            text=query,
            images=(image if image.startswith("images/") else f"images/{image}",),
            label="harmless" if kind.endswith("S") else "harmful",
            categories=texts_of(fields, "category", "subcategory"),
            pair=sha256(query.encode()).hexdigest()[:12] if paired else None,
            subset=kind,
        )
