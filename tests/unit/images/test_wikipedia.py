"""The source `wikipedia` against a real MediaWiki: recorded in the default suite, served here under `live`."""

import pytest
from tests.fake_server import FakeServer, reply
from tests.unit.images.clients import client

from blindpo.errors import AnswerError, ServerError
from blindpo.images.base import Candidate, LookupAnswer, Query
from blindpo.images.cache import LookupCache
from blindpo.images.decode import decode_image
from blindpo.images.wikipedia import Wikipedia
from blindpo.images.wikipedia_api import ActionApi

QUERIES = {
    "Aldermoor": "LOC",
    "old Aldermoor": "LOC",
    "Old quarter of Aldermoor": "LOC",
    "Brindle_Tower": "LOC",
    "Corvane": None,
    "Dalia Fenwick": "PER",
    "Ember Works": "ORG",
    "Quillfox": "ORG",
    "quillfox": None,
    "Tinyland": "LOC",
    "Speck": "LOC",
    "Halcyon Mark": "ORG",
    "Unmarked Isle": "LOC",
    "Plain Page": "MISC",
    "\u00c9tang Vert": "LOC",
    "Nowhere": "LOC",
    "Dalia Fenwick ": "ORG",
    "File:Speck.png": "MISC",
    "A|B": "PER",
    "Special:Version": None,
    "": None,
}
FOUND = {
    "Aldermoor": ("Aldermoor", "500px-Aldermoor_market.jpg", (500, 333)),
    "old Aldermoor": ("Aldermoor", "500px-Aldermoor_market.jpg", (500, 333)),
    "Brindle_Tower": ("Brindle Tower", "500px-Brindle_Tower.png", (500, 917)),
    "Corvane": ("Corvane", "500px-Flag_of_Corvane.svg.png", (500, 333)),
    "Dalia Fenwick": ("Dalia Fenwick", "500px-Dalia_Fenwick.jpg", (500, 571)),
    "Ember Works": ("Ember Works", "500px-Ember_Works.gif", (500, 375)),
    "Quillfox": ("Quillfox (company)", "500px-Quillfox_company_sign.jpg", (500, 500)),
    "Tinyland": ("Tinyland", "Tinyland.png", (160, 120)),
    "\u00c9tang Vert": ("\u00c9tang Vert", "500px-Aldermoor_market.jpg", (500, 333)),
}
MISSED = {
    "Old quarter of Aldermoor": "section of a page about something else",
    "quillfox": "several things, and the entity's type is not known",
    "Speck": "too small",
    "Halcyon Mark": "no free image",
    "Unmarked Isle": "licence is not known",
    "Plain Page": "no free image",
    "Nowhere": "no page of this name",
    "Dalia Fenwick ": "about a PER, the text about a ORG",
    "File:Speck.png": "no page of this name",
    "A|B": "no wiki page can have this name",
    "Special:Version": "no page of this name",
    "": "no wiki page can have this name",
}


def source(wiki: FakeServer, *, free_only: bool = True, cache: LookupCache | None = None) -> Wikipedia:
    wiki.asked.clear()
    return Wikipedia(client(wiki.base, cache=cache, tries=2), f"{wiki.base}/api.php", free_only=free_only)


def large_enough(_query: Query, candidate: Candidate) -> str | None:
    return "too small" if min(decode_image(candidate.image.data).size) < 64 else None


def queries(names: dict[str, str | None] = QUERIES) -> list[Query]:
    return [Query(text=text, type=kind) for text, kind in names.items()]


def ask(found: Wikipedia, names: dict[str, str | None] = QUERIES) -> dict[str, LookupAnswer]:
    answers = list(found.look_up(queries(names), large_enough))
    assert [answer.query for answer in answers] == queries(names)
    return {answer.query.text: answer for answer in answers}


def test_every_kind_of_page_gets_its_answer(wiki: FakeServer) -> None:
    answers = ask(source(wiki))
    for text, (title, file, size) in FOUND.items():
        candidate = answers[text].candidate
        assert candidate is not None, answers[text].reason
        assert (candidate.image.title, candidate.image.file) == (title, file)
        assert decode_image(candidate.image.data).size == size
    for text, reason in MISSED.items():
        assert answers[text].candidate is None and not answers[text].unanswered
        assert reason in answers[text].reason
    assert FOUND.keys() | MISSED.keys() == QUERIES.keys()


def test_licence_author_and_origin_are_kept(wiki: FakeServer) -> None:
    candidate = ask(source(wiki))["Dalia Fenwick"].candidate
    assert candidate is not None
    assert (candidate.image.licence, candidate.image.author, candidate.free) == ("CC BY 4.0", "P. Ainter", True)
    assert (candidate.entity_type, candidate.source) == ("PER", "wikipedia")
    assert str(candidate.image.page).endswith("/index.php/Dalia_Fenwick")
    details = dict(candidate.details)
    assert details["licence_url"] == "https://creativecommons.org/licenses/by/4.0"
    assert details["attribution_required"] == "True" and details["file"] == "Dalia_Fenwick.jpg"
    assert int(details["page_id"]) > 0 and len(details["original_sha1"]) == 40
    assert details["description_url"].endswith("File:Dalia_Fenwick.jpg") and details["fetched"].endswith("+00:00")


def test_a_cmyk_image_comes_as_rgb_and_svg_and_gif_as_stills(wiki: FakeServer) -> None:
    answers = ask(source(wiki))
    kinds = {text: answers[text].candidate.image.data[:4] for text in ("Dalia Fenwick", "Corvane", "Ember Works")}
    assert kinds == {"Dalia Fenwick": b"\xff\xd8\xff\xe0", "Corvane": b"\x89PNG", "Ember Works": b"GIF8"}


def test_names_are_asked_with_plain_signs_and_composed_letters(wiki: FakeServer) -> None:
    answers = ask(source(wiki), {"\u00c9tang\u00a0Vert": "LOC", "E\u0301tang  Vert": "LOC"})
    assert [answer.candidate is not None for answer in answers.values()] == [True, True]
    assert wiki.asked[0].query["titles"] == "\u00c9tang Vert"


def test_non_free_images_come_where_they_are_asked_for(wiki: FakeServer) -> None:
    answers = ask(source(wiki, free_only=False), {"Halcyon Mark": "ORG", "Unmarked Isle": "LOC"})
    mark, isle = (answers[text].candidate for text in ("Halcyon Mark", "Unmarked Isle"))
    assert mark is not None and mark.free is False and mark.details["non_free"] == "True"
    assert isle is not None and isle.free is None and isle.image.licence is None


def test_what_is_known_is_not_asked_again(wiki: FakeServer) -> None:
    cache = LookupCache(None)
    first = ask(source(wiki, cache=cache))
    calls = [asked.query for asked in wiki.asked if asked.path == "/api.php"]
    parts = [asked["prop"].partition("|")[0] for asked in calls]
    names = ["pageimages", "links", "categories", "imageinfo"]
    assert parts == [*names, "pageimages", "imageinfo"], "what a disambiguation page lists comes last"
    assert ask(source(wiki, cache=cache)) == first
    assert wiki.asked == []
    ask(source(wiki, cache=cache), {"Aldermoor": "LOC", "Elsewhere": "LOC"})
    assert [asked.query["titles"] for asked in wiki.asked] == ["Elsewhere"]


def test_fifty_names_go_into_one_call(wiki: FakeServer) -> None:
    found = source(wiki)
    names = {f"Nobody {number}": "PER" for number in range(60)}
    assert {answer.reason for answer in ask(found, names).values()} == {"the wiki has no page of this name"}
    assert [len(asked.query["titles"].split("|")) for asked in wiki.asked] == [50, 10]
    with pytest.raises(AnswerError, match="toomanyvalues"):
        ActionApi(found.fetcher, found.api_url, free_only=True).pages(list(names)[:51])


def test_a_lagging_wiki_is_waited_for(wiki: FakeServer) -> None:
    """`maxlag=-5` makes a real wiki say that it lags: status 200, an error code, and how long to wait."""
    waits: list[float] = []
    api = ActionApi(client(wiki.base, waits=waits, tries=2), f"{wiki.base}/api.php", free_only=True)
    with pytest.raises(ServerError, match=r"busy \(maxlag\)"):
        api._query(["Aldermoor"], maxlag="-5")
    assert waits == [5.0]


def test_a_wiki_that_is_down_leaves_its_names_unanswered_and_loses_nothing(wiki: FakeServer) -> None:
    cache = LookupCache(None)
    found = source(wiki, cache=cache)
    assert ask(found, {"Aldermoor": "LOC"})["Aldermoor"].candidate is not None
    wiki.on("/api.php", reply(status=503))
    try:
        answers = ask(source(wiki, cache=cache), {"Aldermoor": "LOC", "Nowhere": "LOC"})
    finally:
        del wiki.replies["/api.php"]
    assert answers["Aldermoor"].candidate is not None
    assert answers["Nowhere"].unanswered and "status 503 (tried 2 times)" in answers["Nowhere"].reason
    assert ask(source(wiki, cache=cache), {"Aldermoor": "LOC", "Nowhere": "LOC"})["Nowhere"].reason.endswith(
        "this name"
    )
    assert [asked.query["titles"] for asked in wiki.asked] == ["Nowhere"]


def test_an_image_that_is_refused_is_named_and_one_that_is_late_is_unanswered(wiki: FakeServer) -> None:
    thumbnail = "/images/thumb/8/8e/Brindle_Tower.png/500px-Brindle_Tower.png"
    try:
        wiki.on(thumbnail, reply(b"<html/>", kind="text/html"))
        refused = ask(source(wiki), {"Brindle Tower": "LOC"})["Brindle Tower"]
        wiki.on(thumbnail, reply(status=502))
        late = ask(source(wiki), {"Brindle Tower": "LOC"})["Brindle Tower"]
    finally:
        del wiki.replies[thumbnail]
    assert "'text/html' in place of an image" in refused.reason and not refused.unanswered
    assert refused.refused[0].title == "Brindle Tower"
    assert late.unanswered and "status 502" in late.reason
