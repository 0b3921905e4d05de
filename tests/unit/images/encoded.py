"""The bytes of an image as a file of some kind."""

import io

from PIL import Image


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """`image` as PNG, JPEG, WEBP or GIF."""
    sink = io.BytesIO()
    image.save(sink, format=kind, **options)
    return sink.getvalue()
