"""A tiny invented example of every source in the layout that it reads, mild on purpose.

Benchmarks are written by `unit/datasets/benchmarks/downloads.py`, formats here. The contract in
`contract/test_sources.py` runs on all of them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.sample import draw, write_sample
from tests.unit.datasets.benchmarks.downloads import WRITERS

Written = tuple[Path, Path | None]
"""What `blindpo import` is given: the source, and the folder of images where it is named apart."""


def write_mmsafe_po(folder: Path) -> Written:
    write_sample(folder)
    return folder / "test.json", folder / "images"


def write_llava(folder: Path) -> Written:
    images = folder / "images"
    images.mkdir(parents=True)
    records = []
    for number in range(5):
        (images / f"{number}.png").write_bytes(draw(f"kite {number % 2}"))
        turns = [{"from": "human", "value": f"<image>\nWhat is on card {number}?"}]
        records.append(
            {
                "id": number,
                "image": f"{number}.png",
                "conversations": turns,
                "chosen": f"A kite {number}.",
                "rejected": "Go.",
            }
        )
    (folder / "rows.json").write_text(json.dumps(records))
    return folder / "rows.json", images


def write_trl(folder: Path) -> Written:
    (folder / "parts").mkdir(parents=True)
    records: list[dict[str, Any]] = [
        {
            "id": number,
            "prompt": f"What is on card {number}?",
            "chosen": f"A kite {number}.",
            "rejected": "Go.",
            "images": [{"bytes": draw(f"kite {number % 2}"), "path": f"{number}.png"}],
        }
        for number in range(5)
    ]
    for part, rows in enumerate((records[:3], records[3:])):
        pq.write_table(pa.Table.from_pylist(rows), folder / "parts" / f"train-{part}.parquet", row_group_size=2)
    return folder / "parts", None


def write_hh_rlhf(folder: Path) -> Written:
    (folder / "texts").mkdir(parents=True)
    for split in ("train", "test"):
        lines = []
        for number in range(3):
            shared = f"\n\nHuman: Where is card {number} of {split}?\n\nAssistant: "
            lines.append(json.dumps({"chosen": f"{shared}There.", "rejected": f"{shared}Go."}) + "\n")
        (folder / "texts" / f"{split}.jsonl").write_text("".join(lines))
    return folder / "texts", None


FORMAT_WRITERS: dict[str, Callable[[Path], Written]] = {
    "mmsafe-po": write_mmsafe_po,
    "llava": write_llava,
    "trl": write_trl,
    "hh-rlhf": write_hh_rlhf,
}


def write_source(name: str, folder: Path) -> Written:
    """Write the example of the source `name` below `folder`; returns what an import of it is given."""
    if name in FORMAT_WRITERS:
        return FORMAT_WRITERS[name](folder)
    WRITERS[name](folder)
    return folder, None
