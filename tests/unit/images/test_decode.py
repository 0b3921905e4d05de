"""An image is decoded in full, upright and on white; what is none is refused, whatever the bytes."""

import random
import struct

import numpy as np
import pytest
from PIL import Image
from tests.unit.images.encoded import encode

from blindpo.errors import ImageError
from blindpo.images.decode import ImageLimits, decode_image


def noise(side: int = 24) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_four_kinds_are_read(kind: str) -> None:
    image = decode_image(encode(noise(), kind))
    assert (image.mode, image.size) == ("RGB", (24, 24))


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "PPM"])
def test_other_kinds_are_not(kind: str) -> None:
    with pytest.raises(ImageError, match="JPEG, PNG, WEBP, GIF"):
        decode_image(encode(noise(), kind))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    if mode == "P":
        data = encode(Image.new("P", (4, 4), 0), "PNG", transparency=0)
    else:
        data = encode(clear.convert(mode), "PNG")
    assert decode_image(data).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    grey = Image.fromarray(np.array([[0, 128 << 8, 255 << 8]], dtype=np.uint16))
    assert [decode_image(encode(grey, "PNG")).getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]


def test_exif_turns_the_image_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_image(encode(Image.new("RGB", (8, 4)), "JPEG", exif=exif)).size == (4, 8)


def test_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes"),
        (b"<html>no image</html>", "no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image"),
        (encode(noise(), "JPEG")[:-300], "truncated"),
        (encode(noise(), "PNG")[:-300], "truncated"),
    ],
)
def test_what_is_no_image_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        decode_image(data)


def test_limits_hold_before_anything_is_decoded() -> None:
    data = encode(Image.new("1", (2000, 2000)), "PNG")
    with pytest.raises(ImageError, match="2000 x 2000"):
        decode_image(data, ImageLimits(max_pixels=1_000_000))
    with pytest.raises(ImageError, match="bytes; allowed are 10"):
        decode_image(data, ImageLimits(max_bytes=10))


def test_any_broken_file_is_an_image_error() -> None:
    """Changed bytes give an image or an ImageError, never another error."""
    generator = random.Random(0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 30
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        whole = encode(noise(12), kind, **({} if kind == "GIF" else {"exif": exif}))
        for _ in range(400):
            data = bytearray(whole)
            for _ in range(generator.randint(1, 4)):
                data[generator.randrange(min(len(data), 120))] = generator.randrange(256)
            try:
                assert decode_image(bytes(data)).mode == "RGB"
            except ImageError as error:
                assert error.field == "image"


def test_a_broken_exif_structure_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_image: Image.Image) -> Image.Image:
        raise struct.error("required argument is not an integer")

    monkeypatch.setattr("blindpo.images.decode.ImageOps.exif_transpose", broken)
    with pytest.raises(ImageError, match="broken"):
        decode_image(encode(noise(), "PNG"))
