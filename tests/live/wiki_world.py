"""A small invented world for the local wiki: pages, images and licences, where `local_wiki.sh seed` reads them.

    python tests/live/wiki_world.py CONTENT

Every kind of answer that the client must tell apart is there once: JPEG, PNG, SVG, animated GIF and CMYK images, one
narrower than 500 pixels, one that is tiny, a redirect, a redirect into a section, a disambiguation page, an image that
is not free, one without a licence, a page without an image. Names are invented. `write_entity` adds a page for any
other name, with a drawn image: the example build uses it.
"""

import io
import json
import sys
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

LICENCE: Final = {
    "LicenseShortName": "CC BY 4.0",
    "LicenseUrl": "https://creativecommons.org/licenses/by/4.0",
    "Artist": '<a href="//example.org/wiki/User:Painter">P.&nbsp;Ainter</a>',
    "AttributionRequired": "true",
}
NON_FREE: Final = {"LicenseShortName": "Fair use", "NonFree": "true", "Artist": "The Mark Company"}
SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="600"><rect width="900" height="600" fill="#2a6fb0"/>'
    '<circle cx="450" cy="300" r="180" fill="#f0c419"/></svg>'
)


def draw(name: str, width: int, height: int) -> Image.Image:
    """An image that depends on `name` alone."""
    seed = zlib.crc32(name.encode())
    colours = [tuple((seed >> (5 * i + shift)) % 200 + 40 for shift in (0, 3, 7)) for i in range(3)]
    image = Image.new("RGB", (width, height), colours[0])
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((width // 8, height // 6, width // 2, height * 3 // 4), fill=colours[1])
    canvas.ellipse((width // 3, height // 4, width * 7 // 8, height * 7 // 8), fill=colours[2])
    return image


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """The image as a file of `kind`."""
    sink = io.BytesIO()
    image.save(sink, format=kind, **options)
    return sink.getvalue()


def images() -> dict[str, bytes]:
    """File name to bytes."""
    frames = [draw(f"Ember Works {n}", 640, 480).convert("P") for n in range(3)]
    return {
        "Aldermoor market.jpg": encode(draw("Aldermoor", 900, 600), "JPEG", quality=88),
        "Brindle Tower.png": encode(draw("Brindle Tower", 600, 1100), "PNG"),
        "Flag of Corvane.svg": SVG.encode(),
        "Dalia Fenwick.jpg": encode(draw("Dalia Fenwick", 700, 800).convert("CMYK"), "JPEG"),
        "Ember Works.gif": encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=80),
        "Quillfox company sign.jpg": encode(draw("Quillfox", 620, 620), "JPEG"),
        "Quillfox in snow.jpg": encode(draw("Quillfox animal", 720, 540), "JPEG"),
        "Tinyland.png": encode(draw("Tinyland", 160, 120), "PNG"),
        "Speck.png": encode(draw("Speck", 30, 20), "PNG"),
        "Halcyon mark.png": encode(draw("Halcyon", 640, 640), "PNG"),
        "Unmarked isle.jpg": encode(draw("Unmarked Isle", 640, 480), "JPEG"),
    }


def pages() -> dict[str, str]:
    """Title to wikitext."""
    return {
        "Aldermoor": "[[File:Aldermoor market.jpg|thumb|The market]] '''Aldermoor''' is a town.\n"
        "== Old quarter ==\nOld.\n[[Category:Towns in Corvane]]",
        "Old Aldermoor": "#REDIRECT [[Aldermoor]]",
        "Old quarter of Aldermoor": "#REDIRECT [[Aldermoor#Old quarter]]",
        "Brindle Tower": "[[File:Brindle Tower.png|thumb]] A tower. [[Category:Towers in Corvane]]",
        "Corvane": "[[File:Flag of Corvane.svg|thumb]] A country. [[Category:Countries in Fiction]]",
        "Dalia Fenwick": "[[File:Dalia Fenwick.jpg|thumb]] A painter. [[Category:1961 births]] "
        "[[Category:Living people]]",
        "Ember Works": "[[File:Ember Works.gif|thumb]] A company. [[Category:Companies based in Corvane]]",
        "Quillfox": "'''Quillfox''' may mean\n* [[Quillfox (animal)]]\n* [[Quillfox (company)]]\n* [[Aldermoor]]\n"
        "__DISAMBIG__",
        "Quillfox (animal)": "[[File:Quillfox in snow.jpg|thumb]] An animal. [[Category:Mammals]]",
        "Quillfox (company)": "[[File:Quillfox company sign.jpg|thumb]] A company. [[Category:Companies of Corvane]]",
        "Tinyland": "[[File:Tinyland.png|thumb]] A small country. [[Category:Countries in Fiction]]",
        "Speck": "[[File:Speck.png|thumb]] Very small. [[Category:Villages in Corvane]]",
        "Halcyon Mark": "[[File:Halcyon mark.png|thumb]] A trade mark. [[Category:Companies of Corvane]]",
        "Unmarked Isle": "[[File:Unmarked isle.jpg|thumb]] An island. [[Category:Islands of Corvane]]",
        "Plain Page": "Text alone.",
        "\u00c9tang Vert": "[[File:Aldermoor market.jpg|thumb]] A lake. [[Category:Lakes of Corvane]]",
    }


def mosaic(name: str) -> Image.Image:
    """Coloured tiles that depend on `name` alone: no two names look alike."""
    seed = sha256(name.encode()).digest()
    tiles = Image.new("RGB", (8, 6))
    tiles.putdata([tuple(sha256(seed + bytes([place])).digest()[:3]) for place in range(48)])
    return tiles.resize((640, 480), Image.Resampling.NEAREST)


def write_entity(content: Path, name: str, category: str) -> None:
    """One more page, with an image of its own under a free licence."""
    file = f"Drawing {sha256(name.encode()).hexdigest()[:12]}.png"
    (content / "images" / file).write_bytes(encode(mosaic(name), "PNG"))
    text = f"[[File:{file}|thumb]] An entry. [[Category:{category}]]"
    (content / "pages" / f"{name.replace(' ', '_')}.txt").write_text(text, encoding="utf-8")
    _add_licence(content, file, LICENCE)


def _add_licence(content: Path, file: str, licence: dict[str, str]) -> None:
    path = content / "licences.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**known, file.replace(" ", "_"): licence}, indent=1, sort_keys=True), encoding="utf-8")


def write_world(content: Path) -> None:
    """The whole small world below `content`."""
    (content / "images").mkdir(parents=True, exist_ok=True)
    (content / "pages").mkdir(exist_ok=True)
    for file, data in images().items():
        (content / "images" / file).write_bytes(data)
        if file == "Halcyon mark.png":
            _add_licence(content, file, NON_FREE)
        elif file != "Unmarked isle.jpg":
            _add_licence(content, file, LICENCE)
    for title, text in pages().items():
        (content / "pages" / f"{title.replace(' ', '_')}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_world(Path(sys.argv[1]))
