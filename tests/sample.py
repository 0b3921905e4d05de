"""Twelve invented, mild rows in the released MMSafe-PO layout, and the real ones where they lie beside the checkout.

The text stands in `tests/data/mmsafe_po/test.json`; the images are drawn here, since their names are as hostile as
the released ones (a colon, percent signs, no or a wrong extension) and not every file system takes them from git.
"""

import io
import json
import shutil
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

SAMPLE = Path(__file__).parent / "data" / "mmsafe_po" / "test.json"
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "mmsafe_po"


def draw(name: str) -> bytes:
    """A small image that depends on `name` alone; its format follows the hash of the name, not the extension."""
    seed = zlib.crc32(name.encode())
    colours = [tuple((seed >> shift + 3 * i) % 256 for shift in (0, 8, 16)) for i in range(3)]
    image = Image.new("RGB", (48 + seed % 17, 40), colours[0])
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((4, 6, 24, 30), fill=colours[1])
    canvas.ellipse((20, 10, 44, 34), fill=colours[2])
    sink = io.BytesIO()
    image.save(sink, format=("PNG", "JPEG", "WEBP", "GIF")[seed % 4])
    return sink.getvalue()


def write_sample(folder: Path) -> Path:
    """Put the sample's JSON and images under `folder` as they are released; returns `folder`."""
    images = folder / "images"
    images.mkdir(parents=True)
    shutil.copy(SAMPLE, folder / "test.json")
    for record in json.loads(SAMPLE.read_text(encoding="utf-8")):
        (images / record["image"]).write_bytes(draw(record["image"]))
    return folder
