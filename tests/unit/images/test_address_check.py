"""No answer of a server leads the client anywhere but to public, listed hosts, checked on the socket that is used."""

import httpcore2
import pytest
from tests.fake_server import redirect, reply, serving
from tests.unit.images.clients import client, image

from blindpo.errors import AnswerError, ServerError
from blindpo.images.address_check import Guard, GuardedBackend, is_public
from blindpo.images.fetch import Fetcher

PRIVATE = ["172.16.0.1", "127.0.0.1", "172.16.3.4", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1"]
WRAPPED = ["::ffff:172.16.0.1", "2002:7f00:1::", "64:ff9b::ac10:1", "fe80::1%eth0", "fc00::1", "224.0.0.1", "ff02::1"]


@pytest.mark.parametrize("address", PRIVATE + WRAPPED)
def test_a_private_address_is_one_in_every_guise(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["91.198.174.192", "2620:0:862:ed1a::1", "::ffff:91.198.174.192", "64:ff9b::5bc6:aec0"]
)
def test_a_public_address_is_none(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://example.com/a.png", "not on the allow-list"),
        ("https://notexample.org/a.png", "not on the allow-list"),
        ("http://example.org/a.png", "not a plain https"),
        ("ftp://example.org/a.png", "not a plain https"),
        ("file:///a.png", "not a plain https"),
        ("https://user@example.org/a.png", "not a plain https"),
        ("https://example.org:8443/a.png", "only 443"),
        ("https://example.org:99999/a.png", "no URL"),
        ("//", "not a plain https"),
        ("http://127.0.0.1:1/a.png", "not a plain https"),
        ("https://172.16.0.1/a.png", "not on the allow-list"),
    ],
)
def test_only_listed_hosts_over_https_are_asked(url: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message):
        client().image(url)


def test_hosts_stand_for_what_is_below_them_and_a_base_for_itself() -> None:
    guard = Guard(hosts=("example.org",), bases=("https://wiki.test/api.php",))
    for url in ("https://example.org/a", "https://a.b.EXAMPLE.org:443/a", "https://wiki.test/images/a.png"):
        guard.require_allowed(url)
    for url in ("https://notexample.org/a", "https://example.org.evil.net/a", "https://a.wiki.test/a"):
        with pytest.raises(AnswerError, match="allow-list"):
            guard.require_allowed(url)


@pytest.mark.parametrize(
    "to", ["http://172.16.0.1/a.png", "http://[::1]:1/a.png", "http://localhost:9/a", "https://example.com/"]
)
def test_a_redirect_to_a_private_or_foreign_address_is_refused(to: str) -> None:
    with serving() as server, pytest.raises(AnswerError, match=r"plain https|allow-list"):
        client(server.base).image(server.on("/a.png", redirect(to)))


def test_a_redirect_to_another_port_of_this_machine_is_refused() -> None:
    with serving() as server, serving() as inner:
        secret = inner.on("/a.png", reply(image()))
        with pytest.raises(AnswerError, match="plain https"):
            client(server.base).image(server.on("/a.png", redirect(secret)))
        assert inner.asked == []


@pytest.mark.parametrize("addresses", [["172.16.0.1"], ["91.198.174.192", "127.0.0.1"], ["::ffff:169.254.169.254"]])
def test_a_listed_name_that_leads_to_a_private_address_is_refused(addresses: list[str]) -> None:
    fetcher = client()
    refusing = Fetcher(fetcher.config, fetcher.cache, time=fetcher.time, resolve=lambda _host, _port: addresses)
    with pytest.raises(AnswerError, match="leads to a private address"):
        refusing.image("https://example.org/a.png")


def test_the_address_that_was_checked_is_the_one_that_is_used() -> None:
    """The name is resolved once: a second answer of the name server, as in DNS rebinding, is never asked for."""
    with serving() as server:
        host, port = "127.0.0.1", int(server.base.rpartition(":")[2])
        resolved = []

        def resolve(name: str, _port: int) -> list[str]:
            resolved.append(name)
            return [host]

        backend = GuardedBackend(Guard(hosts=(), bases=(f"http://localhost:{port}",)), lambda: 5.0, resolve)
        stream = backend.connect_tcp("localhost", port, 5.0)
        assert resolved == ["localhost"] and stream.get_extra_info("server_addr") == (host, port)
        stream.close()


def test_a_second_address_is_tried_where_the_first_does_not_answer() -> None:
    with serving() as server:
        port = int(server.base.rpartition(":")[2])
        guard = Guard(hosts=(), bases=(f"http://localhost:{port}",))
        GuardedBackend(guard, lambda: 5.0, lambda _h, _p: ["::1", "127.0.0.1"]).connect_tcp("localhost", port).close()
        for none in ([], ["::1"]):
            with pytest.raises(httpcore2.ConnectError):
                GuardedBackend(guard, lambda: 5.0, lambda _h, _p, found=none: found).connect_tcp("localhost", port)


def test_a_proxy_is_used_where_the_recipe_says_so_and_resolves_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("https_proxy", proxy.base.replace("http://", "http://me:secret@"))
        asking = client(tries=1, proxy="environment")
        host, port = proxy.base.removeprefix("http://").split(":")

        def resolve(name: str, number: int) -> list[str]:
            assert (name, number) == (host, int(port)), "the proxy resolves all other names"
            return [host]

        through = Fetcher(asking.config, asking.cache, time=asking.time, resolve=resolve)
        with pytest.raises(ServerError) as caught:
            through.image("https://example.org/a.png")
        assert "secret" not in str(caught.value)
        assert proxy.paths() == ["example.org:443"]
        assert proxy.asked[0].headers["proxy-authorization"].startswith("Basic ")
        with pytest.raises(AnswerError, match="allow-list"):
            through.image("https://example.com/a.png")


def test_a_wiki_on_this_machine_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    with serving() as server:
        url = server.on("/a.png", reply(image()))
        assert client(server.base, proxy="environment").image(url).body == image()
