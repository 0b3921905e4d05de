"""Copies are found under any name, other images are not taken for copies."""

import io

import numpy as np
from PIL import Image, ImageDraw

from blindpo.images.near_duplicates import SeenImages, look_of


def drawing(seed: int) -> Image.Image:
    """Blobs at random places."""
    generator = np.random.default_rng(seed)
    image = Image.new("RGB", (320, 240), tuple(int(c) for c in generator.integers(0, 256, 3)))
    canvas = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = (int(v) for v in generator.integers(0, 240, 3))
        canvas.ellipse((x, y, x + r, y + r // 2), fill=tuple(int(c) for c in generator.integers(0, 256, 3)))
    return image


def recompressed(image: Image.Image, quality: int) -> Image.Image:
    sink = io.BytesIO()
    image.save(sink, format="JPEG", quality=quality)
    return Image.open(sink).convert("RGB")


def flag(*colours: str) -> Image.Image:
    image = Image.new("RGB", (300, 200))
    for number, colour in enumerate(colours):
        image.paste(colour, (100 * number, 0, 100 * number + 100, 200))
    return image


def seen(*images: Image.Image) -> SeenImages:
    found = SeenImages()
    for number, image in enumerate(images):
        found.add(f"name {number}", look_of(image))
    return found


def test_copies_are_found_and_under_their_own_name_they_are_no_matter() -> None:
    found = seen(*(drawing(seed) for seed in range(200)))
    for seed in (0, 77, 199):
        whole = drawing(seed)
        for copy in (whole, whole.resize((160, 120)), recompressed(whole, 40)):
            assert found.other_name("another", look_of(copy)) == f"name {seed}"
            assert found.other_name(f"name {seed}", look_of(copy)) is None


def test_other_images_are_no_copies() -> None:
    found = seen(*(drawing(seed) for seed in range(200)))
    assert all(found.other_name("another", look_of(drawing(seed))) is None for seed in range(1000, 1100))


def test_flags_of_one_layout_are_told_apart_by_colour() -> None:
    """France and Ireland, say, or plain colours: no edge tells them apart."""
    french, irish, italian = (
        flag("blue", "white", "red"),
        flag("green", "white", "orange"),
        flag("green", "white", "red"),
    )
    assert seen(french).other_name("another", look_of(irish)) is None
    assert seen(irish).other_name("another", look_of(italian)) is None
    assert (
        seen(Image.new("RGB", (50, 50), "red")).other_name("another", look_of(Image.new("RGB", (90, 90), "blue")))
        is None
    )
    assert seen(french).other_name("another", look_of(recompressed(french.resize((150, 100)), 50))) == "name 0"


def test_the_hash_is_the_known_one() -> None:
    """A ramp that rises to the right has every bit set, one that falls none: neighbours are compared."""
    rising = Image.fromarray(np.tile(np.linspace(0, 255, 90, dtype=np.uint8), (80, 1))).convert("RGB")
    assert look_of(rising).bits == 2**64 - 1
    assert look_of(rising.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).bits == 0
