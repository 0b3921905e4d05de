"""Whatever a server does, a request ends with an image or a reason, is polite, and is never repeated in vain."""

import gzip
import struct
import time
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from PIL import Image
from tests.fake_server import Asked, FakeServer, redirect, reply, serving
from tests.unit.images.clients import CONTACT, client, image
from tests.unit.images.encoded import encode

from blindpo.errors import AnswerError, ConfigError, ServerError
from blindpo.images.cache import LookupCache
from blindpo.images.fetch import FILES


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as found:
        yield found


def test_an_image_is_fetched_once_and_servers_are_told_who_asks(server: FakeServer) -> None:
    url = server.on("/a.png", reply(image()))
    fetcher = client(server.base)
    assert fetcher.image(url).body == image()
    assert fetcher.image(url).body == image()
    assert server.paths() == ["/a.png"]
    agent = server.asked[0].headers["user-agent"]
    assert agent.startswith("blindpo/") and f"({CONTACT})" in agent and "httpcore2/" in agent


@pytest.mark.parametrize("contact", ["", "  ", "me", "@", "a b@example.org", "m\u00fc@example.org", "x@y\r\nEvil: 1"])
def test_without_a_contact_nothing_runs(contact: str) -> None:
    with pytest.raises(ConfigError, match="contact"):
        client(contact=contact)


def test_a_web_page_is_a_contact() -> None:
    assert "(https://example.org/me)" in client(contact="https://example.org/me").config.user_agent


def test_a_busy_server_is_asked_again_after_the_wait_that_it_names(server: FakeServer) -> None:
    busy = [reply(status=429, retry_after="7"), reply(status=503)]
    url = server.on("/a.png", *busy, reply(image()))
    waits: list[float] = []
    assert client(server.base, waits=waits).image(url).body == image()
    assert waits == [7.0, 2.0]


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for(server: FakeServer) -> None:
    url = server.on("/a.png", reply(status=429, retry_after="86400"))
    waits: list[float] = []
    with pytest.raises(ServerError, match="asks to wait 86400 seconds"):
        client(server.base, waits=waits).image(url)
    assert waits == [] and len(server.asked) == 1


def test_a_lagging_wiki_says_so_with_status_200(server: FakeServer) -> None:
    lag = reply(b'{"error": {"code": "maxlag"}}', kind="application/json", retry_after="5")
    url = server.on("/api.php", lag, reply(b'{"query": {}}', kind="application/json"))
    waits: list[float] = []
    found = client(server.base, waits=waits).json(
        url, {}, busy=lambda content: (content.get("error") or {}).get("code")
    )
    assert found == {"query": {}} and waits == [5.0]


def test_a_server_that_is_down_is_given_up_and_other_servers_are_not(server: FakeServer) -> None:
    with serving() as other:
        gone = other.base
    fetcher = client(server.base, gone)
    for _ in range(3):
        with pytest.raises(ServerError, match="tried 3 times"):
            fetcher.image(f"{gone}/a.png")
    asked = fetcher.asked
    with pytest.raises(ServerError, match="given up"):
        fetcher.image(f"{gone}/a.png")
    assert fetcher.asked == asked
    assert fetcher.image(server.on("/a.png", reply(image()))).body == image()


@pytest.mark.parametrize("length", [10, 5000])
def test_a_body_that_ends_early_is_asked_for_again(server: FakeServer, length: int) -> None:
    whole = image()
    url = server.on("/a.png", reply(whole[:length], content_length=str(len(whole) + 5000)), reply(whole))
    assert client(server.base).image(url).body == whole
    assert len(server.asked) == 2


def test_a_content_length_that_is_too_short_is_a_broken_image_and_asked_again_next_time(server: FakeServer) -> None:
    url = server.on("/a.png", reply(image(), content_length="60"), reply(image()))
    cache = LookupCache(None)
    with pytest.raises(AnswerError, match=r"broken|no image"):
        client(server.base, cache=cache).image(url)
    stored = cache.get(FILES, url)
    assert stored is not None and stored.kind == "fault" and stored.body is None
    assert client(server.base, cache=cache).image(url).body == image()


def test_a_page_in_place_of_an_image_is_refused(server: FakeServer) -> None:
    page = b"<html>Log in</html>"
    with pytest.raises(AnswerError, match="'text/html' in place of an image"):
        client(server.base).image(server.on("/a", reply(page, kind="text/html; charset=utf-8")))
    with pytest.raises(AnswerError, match="no image that we read"):
        client(server.base).image(server.on("/b", reply(page)))


def test_what_is_not_there_is_a_miss_that_is_not_asked_for_again(server: FakeServer) -> None:
    fetcher = client(server.base)
    assert fetcher.image(f"{server.base}/none.png").kind == "miss"
    assert fetcher.image(f"{server.base}/none.png").body is None
    assert len(server.asked) == 1


def endless(_asked: Asked, out: BinaryIO) -> None:
    out.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n")
    block = b"\x89PNG" * 16384
    while True:
        out.write(block)


def test_an_endless_body_is_cut_off(server: FakeServer) -> None:
    with pytest.raises(AnswerError, match="more than 200000 bytes"):
        client(server.base, max_bytes=200_000).image(server.on("/a.png", endless))


def test_ten_gigabytes_are_refused_before_they_are_read(server: FakeServer) -> None:
    url = server.on("/a.png", reply(image(), content_length=str(10 * 2**30)))
    with pytest.raises(AnswerError, match="10737418240 bytes; allowed are 10000000"):
        client(server.base).image(url)


def drip(_asked: Asked, out: BinaryIO) -> None:
    out.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n")
    for _ in range(200):
        out.write(b"x")
        out.flush()
        time.sleep(0.02)


def drip_head(_asked: Asked, out: BinaryIO) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200:
        out.write(bytes([byte]))
        out.flush()
        time.sleep(0.02)


@pytest.mark.parametrize("slow", [drip, drip_head])
def test_a_server_that_drips_is_cut_off_at_the_deadline(server: FakeServer, slow: object) -> None:
    with pytest.raises(ServerError, match=r"no whole answer|too slowly"):
        client(server.base, deadline_seconds=0.25, tries=1).image(server.on("/a.png", slow))


def test_decompression_bombs_are_refused(server: FakeServer) -> None:
    bomb = encode(Image.new("1", (9000, 9000)), "PNG")
    assert len(bomb) < 20_000
    with pytest.raises(AnswerError, match=r"9000 x 9000|bomb"):
        client(server.base).image(server.on("/a.png", reply(bomb)))
    whole = image()
    text = b"k\0\0" + zlib.compress(b"a" * 50_000_000)
    block = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    with pytest.raises(AnswerError, match="too large"):
        client(server.base).image(server.on("/b.png", reply(whole[:33] + block + whole[33:])))
    packed = gzip.compress(b" " * 50_000_000)
    url = server.on("/api.php", reply(packed, kind="application/json", content_encoding="gzip"))
    with pytest.raises(AnswerError, match="more than 10000000 bytes"):
        client(server.base).json(url, {})


def test_a_packed_answer_is_read_and_a_packed_half_is_not(server: FakeServer) -> None:
    packed = gzip.compress(b'{"a": 1}')
    options = {"kind": "application/json", "content_encoding": "gzip"}
    url = server.on("/api.php", reply(packed[:-6], **options), reply(packed, **options))
    assert client(server.base).json(url, {"q": "x"}) == {"a": 1}
    assert len(server.asked) == 2


def test_redirects_are_followed_on_the_same_server_and_not_for_ever(server: FakeServer) -> None:
    server.on("/b.png", reply(image()))
    assert client(server.base).image(server.on("/a.png", redirect("/b.png"))).body == image()
    with pytest.raises(AnswerError, match="redirects more than"):
        client(server.base).image(server.on("/loop", redirect("/loop")))


def test_no_message_and_no_cache_holds_a_key(server: FakeServer) -> None:
    url = server.on("/search", reply(status=500))
    with pytest.raises(ServerError) as caught:
        client(server.base).json(url, {"key": "secret-key-1"})
    assert server.asked[0].query == {"key": "secret-key-1"}
    assert "secret" not in str(caught.value) + str(caught.value.__cause__)


def test_an_address_with_blanks_and_accents_is_asked_as_a_url(server: FakeServer) -> None:
    server.on("/caf%C3%A9%20one.png", reply(image()))
    assert client(server.base).image(f"{server.base}/caf\u00e9 one.png").body == image()


def test_an_api_that_forbids_is_not_asked_on_and_on_and_bad_images_are(server: FakeServer) -> None:
    url = server.on("/api.php", reply(status=403))
    fetcher = client(server.base)
    for number in range(6):
        with pytest.raises(AnswerError if number < 3 else ServerError, match=r"status 403"):
            fetcher.json(url, {"n": str(number)})
    assert len(server.asked) == 3
    fetcher = client(server.base)
    for number in range(6):
        with pytest.raises(AnswerError, match="text/html"):
            fetcher.image(server.on(f"/{number}.png", reply(b"x", kind="text/html")))
