"""Exact token lengths of as many rows as the paper has (5,667), with `check --model`: CPU seconds on one core.

The released rows where they are beside the checkout (../shared/data/mmsafe_po), else invented ones with as many
images as the paper's data (2,091 of 500 pixels), repeated up to the size. Counts how often pixels are decoded.
Run: `make bench` (a line of its output).
"""

import io
import itertools
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent))

from world import Case, save_model

import blindpo.intake.check as checking
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, ImageRef, PreferenceRow, Provenance, Turn
from blindpo.rows.shards import write_shard

ROWS = 5667
PICTURES = 2091
GOAL_SECONDS = 60.0
REAL = Path(__file__).resolve().parents[2] / "shared/data/mmsafe_po/test.json"


def invented() -> list[PreferenceRow]:
    """Rows of the paper's mean length with noisy JPEG images, half of them wide and half tall."""
    generator = np.random.default_rng(0)
    words = "what would a careful person say about the one in the picture and why do you think so please"
    made = []
    for n in range(PICTURES):
        width, height = (500, 333) if n % 2 else (333, 500)
        small = generator.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        sink = io.BytesIO()
        Image.fromarray(small).resize((width, height)).save(sink, "JPEG")
        made.append(
            PreferenceRow(
                row_id=f"row-{n}",
                prompt=(Turn(role="user", content=(IMAGE, f"{words} {n}? " * 2)),),
                images=(ImageRef(data=sink.getvalue()),),
                chosen=words * 2,
                rejected=words,
                provenance=Provenance(source="bench", source_row_id=str(n), dialogue_id=str(n)),
            )
        )
    return made


def real(folder: Path) -> list[PreferenceRow]:
    """The released rows, by the importer."""
    from blindpo.cli.main import main as blindpo_main
    from blindpo.rows.shards import read_rows

    words = ["import", "mmsafe-po", str(REAL), "--images", str(REAL.parent / "images"), "--out", str(folder)]
    status = blindpo_main([*words, "--json"])
    if status not in (0, 1):
        raise SystemExit(f"the released rows could not be imported (exit status {status})")
    return list(read_rows(folder))


def main() -> None:
    """Print one line and write bench/out/forecast.json."""
    torch.set_num_threads(1)
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        model = resolve_model(save_model(Case(layers=1, hidden=64, heads=4, mlp=64), Path(scratch) / "model"))
        sources = {"invented": invented()}
        if REAL.is_file():
            sources["released"] = real(Path(scratch) / "released")
        for name, source in sources.items():
            found.append(measured(name, source, model, Path(scratch) / f"data-{name}"))
    out = Path(__file__).with_name("out")
    out.mkdir(exist_ok=True)
    (out / "forecast.json").write_text(json.dumps(found, indent=2) + "\n")


def measured(name: str, source: list[PreferenceRow], model: object, folder: Path) -> dict[str, object]:
    """CPU time of the check over `source` repeated to ROWS, and decodes of pixels."""
    repeated = itertools.islice(itertools.cycle(source), ROWS)
    folder.mkdir(parents=True)
    write_shard(folder / "rows-00000.parquet", [replace(each, row_id=f"{n}") for n, each in enumerate(repeated)])
    decodes = 0
    plain = checking.decode_image

    def counted(data: bytes) -> object:
        nonlocal decodes
        decodes += 1
        return plain(data)

    checking.decode_image = counted
    cpu, wall = time.process_time(), time.perf_counter()
    summary = checking.check_data(folder, model=model)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    checking.decode_image = plain
    pictures = len({image.sha256 for each in source for image in each.images})
    assert len(summary.lengths) == summary.sound and decodes == pictures, "a picture was decoded twice, or a row missed"
    sys.stdout.write(
        f"check --model on {summary.rows} rows ({name}, {pictures} pictures, {summary.sound} sound): {cpu:.1f} s CPU, "
        f"{wall:.1f} s wall, {decodes} decodes; goal {GOAL_SECONDS:.0f} s: {'met' if cpu < GOAL_SECONDS else 'MISSED'}"
        "\n"
    )
    return {
        "rows": summary.rows,
        "source": name,
        "pictures": pictures,
        "decodes": decodes,
        "cpu_s": cpu,
        "wall_s": wall,
    }


if __name__ == "__main__":
    main()
