"""Clients for tests: no rate to speak of, waits that are noted and not waited, a cache in memory."""

import io
import time
import zlib

from PIL import Image

from blindpo.images.cache import LookupCache
from blindpo.images.fetch import Fetcher
from blindpo.images.fetch_config import FetchConfig
from blindpo.images.rate_limit import Time

CONTACT = "tester@example.org"


def image(name: str = "one", side: int = 80, kind: str = "PNG") -> bytes:
    """A small image that depends on `name`."""
    seed = zlib.crc32(name.encode())
    image = Image.new("RGB", (side, side), (seed % 256, seed // 256 % 256, seed // 65536 % 256))
    image.paste((255, 255, 255), (seed % 20, 5, side // 2, side // 2))
    sink = io.BytesIO()
    image.save(sink, format=kind)
    return sink.getvalue()


def client(
    *bases: str, cache: LookupCache | None = None, waits: list[float] | None = None, **settings: object
) -> Fetcher:
    """A client that may ask `bases`; the waits that it would have made go to `waits`."""
    noted = [] if waits is None else waits
    values: dict[str, object] = {
        "contact": CONTACT,
        "hosts": ("example.org",),
        "requests_per_minute": 1e9,
        "tries": 3,
        "timeout_seconds": 5.0,
        "deadline_seconds": 10.0,
    }
    config = FetchConfig(**{**values, **settings})
    return Fetcher(config, cache or LookupCache(None), bases=bases, time=Time(time.time, noted.append))
