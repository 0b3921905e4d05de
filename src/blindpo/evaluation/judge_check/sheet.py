"""A sheet for people: some responses of each model, drawn at random, with their images, and an empty column.

Random, since a corrected rate is right only where the labelled responses represent the others; without the judge's
verdict, since people must not be led by it. Images lie beside the sheet.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from blindpo.errors import ConfigError, OutputError
from blindpo.evaluation.eval_folder import load_eval
from blindpo.jobs.manifest import write_text
from blindpo.jobs.seeds import derive_seed
from blindpo.rows.row import ImageRef, PreferenceRow
from blindpo.rows.shards import read_rows

SHEET_COLUMNS: Final = ("model", "row_id", "images", "request", "response", "label")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""
ENDINGS: Final = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


def write_sheet(folders: Sequence[Path], out: Path, *, num: int, seed: int) -> dict[str, int]:
    """`num` responses of each model into `out`/labels.csv; how many by model. Raises UsageError.

    A model that was judged several times is drawn from once. A finished sheet is never written over: people's labels
    may be in it.
    """
    if num < 1:
        raise ConfigError(f"num is {num}; allowed: 1 or more")
    if (out / "labels.csv").exists():
        raise OutputError(f"{out / 'labels.csv'} is there, and it may hold labels; give another folder")
    drawn: dict[str, list[dict[str, str]]] = {}
    for folder in folders:
        stored = load_eval(folder)
        name = stored.model_name
        if name in drawn:
            continue
        texts = {each.row_id: each.text for each in stored.responses if each.view == "as_is" and each.text is not None}
        rows = {row.row_id: row for row in read_rows(stored.rows) if row.row_id in texts}
        order = np.random.default_rng(derive_seed(seed, "sheet", name)).permutation(len(rows))[:num]
        ids = [list(rows)[place] for place in order]
        drawn[name] = [_entry(name, rows[row_id], str(texts[row_id]), out) for row_id in ids]
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, SHEET_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(entry for entries in drawn.values() for entry in entries)
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / "labels.csv", sheet.getvalue())
    return {name: len(entries) for name, entries in drawn.items()}


def _entry(model: str, row: PreferenceRow, text: str, out: Path) -> dict[str, str]:
    request = "\n".join(f"{turn.role}: {turn.text}" for turn in row.prompt)
    files = " ".join(_saved(image, out / "images") for image in row.images)
    cells = {"model": model, "row_id": row.row_id, "images": files, "request": request, "response": text, "label": ""}
    return {key: cell if key == "row_id" else _harmless(cell) for key, cell in cells.items()}


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula."""
    return "'" + cell if cell.startswith(FORMULA) else cell


def _saved(image: ImageRef, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    ending = next((name for magic, name in ENDINGS if image.data.startswith(magic)), "bin")
    name = f"{image.sha256[:16]}.{ending}"
    if not (folder / name).is_file():
        (folder / name).write_bytes(image.data)
    return f"images/{name}"
