"""Invented dialogues and a small catalogue of drawn images: what the builder's tests build from."""

import io
import json
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from blindpo.images.catalogue import Entry, write_index

NAMES = {
    "Eldoria": ("LOC", ("the Kingdom of Eldoria",)),
    "Port Quill": ("LOC", ()),
    "Mira Vance": ("PER", ("Captain Vance",)),
    "Vance": ("PER", ()),
    "Brightwell Foundation": ("ORG", ()),
    "Lumen": ("MISC", ("Lumens",)),
    "Will": ("PER", ()),
}
"""Name: type and aliases."""


def image(name: str, *, side: int = 80) -> bytes:
    """A plain image whose colour depends on the name."""
    value = sum(name.encode())
    sink = io.BytesIO()
    Image.new("RGB", (side, side + value % 7), (value % 256, value * 7 % 256, 99)).save(sink, format="PNG")
    return sink.getvalue()


def write_catalogue(folder: Path) -> Path:
    """The catalogue of NAMES; two of its lines have images that cannot be used."""
    folder.mkdir(parents=True)
    entries = []
    for name, (kind, aliases) in NAMES.items():
        file = f"{name.lower().replace(' ', '_')}.png"
        (folder / file).write_bytes(image(name))
        entries.append(Entry(name=name, image=file, type=kind, aliases=aliases, licence="CC0", author="A. Nobody"))
    (folder / "broken.png").write_bytes(image("x")[:60])
    (folder / "tiny.png").write_bytes(image("x", side=20))
    entries += [Entry(name="Brokenshire", image="broken.png"), Entry(name="Tinytown", image="tiny.png", type="LOC")]
    write_index(folder, entries)
    return folder


def dialogue(*turns: str, chosen: str = "No.", rejected: str = "Yes.") -> dict[str, str]:
    """A record of HH-RLHF: user and assistant turns by turns, ending with the user's."""
    speakers = ("Human", "Assistant")
    shared = "".join(f"\n\n{speakers[n % 2]}: {turn}" for n, turn in enumerate(turns))
    return {"chosen": f"{shared}\n\nAssistant: {chosen}", "rejected": f"{shared}\n\nAssistant: {rejected}"}


def write_lines(path: Path, records: Iterable[object]) -> Path:
    """JSON lines; a text is written as it is."""
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


DIALOGUES = [
    dialogue("Is Eldoria pretty?"),
    dialogue("Hi", "Hello", "Tell me of the Brightwell Foundation and of Eldoria", chosen="Eldoria is nice."),
    dialogue("Who is Mira Vance?", "Mira Vance is a captain.", "Where does Mira Vance live?"),
    dialogue("Will it rain?"),
    dialogue("Is Tinytown big?"),
    dialogue("What of Brokenshire?"),
    dialogue("Is Eldoria pretty?"),
    dialogue("Are all Lumens bright?", rejected="USER: go"),
]
