"""The source `knowledge-graph`: only a sure result of the very name and type counts, and the key stays where it is."""

import json
from collections.abc import Iterator

import pytest
from tests.fake_server import FakeServer, reply, serving
from tests.unit.images.clients import client, image

from blindpo.images.base import LookupAnswer, Query
from blindpo.images.cache import LookupCache
from blindpo.images.knowledge_graph import KnowledgeGraph

KEY = "not-a-real-key"
CC = "https://creativecommons.org/licenses/by-sa/3.0/"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving() as found:
        yield found


def result(server: FakeServer, name: str, *, score: float = 900, tbn: str = "tbn:one", **fields: object) -> dict:
    server.on("/images", reply(image(), kind="image/jpeg"))
    image_fields = {"contentUrl": f"{server.base}/images?q={tbn}", "url": "https://example.org/wiki", "license": CC}
    found = {"@id": "kg:/m/1", "name": name, "@type": ["Thing", "Corporation", "Organization"], "image": image_fields}
    return {"@type": "EntitySearchResult", "resultScore": score, "result": {**found, **fields}}


def graph(
    server: FakeServer, *results: dict, cache: LookupCache | None = None, free_only: bool = True
) -> KnowledgeGraph:
    body = json.dumps({"@type": "ItemList", "itemListElement": list(results)}).encode()
    url = server.on("/v1/entities:search", reply(body, kind="application/json; charset=UTF-8"))
    return KnowledgeGraph(client(server.base, cache=cache), url, key=KEY, min_score=100, free_only=free_only)


def ask(found: KnowledgeGraph, text: str = "Quillfox", kind: str | None = "ORG") -> LookupAnswer:
    return next(found.look_up([Query(text=text, type=kind)], lambda _query, _candidate: None))


def test_the_first_result_that_passes_is_kept_and_the_others_are_noted(server: FakeServer) -> None:
    results = [
        result(server, "Quillfox", score=50),
        result(server, "QUILLFOX", score=400),
        result(server, "Quillfox Hotels", score=900),
        result(server, "quillfox", score=300, tbn="tbn:two"),
    ]
    answer = ask(graph(server, *results))
    assert answer.candidate is not None
    assert (answer.candidate.image.title, answer.candidate.image.file, answer.candidate.score) == (
        "QUILLFOX",
        "tbn:one",
        400,
    )
    assert [refused.reason for refused in answer.refused] == [
        "the result has another name",
        "after the one that was kept",
        "after the one that was kept",
    ]
    asked = server.asked[0].query
    assert asked == {"query": "Quillfox", "key": KEY, "limit": "10", "languages": "en", "types": "Organization"}
    assert answer.candidate.free is True and answer.candidate.image.page == "https://example.org/wiki"


@pytest.mark.parametrize(
    ("fields", "kind", "reason"),
    [
        ({"score": 99.5}, "ORG", "below 100"),
        ({"@type": ["Thing", "Person"]}, "ORG", "the result is a PER"),
        ({"@type": ["Thing"]}, "ORG", "the result is a MISC"),
        ({}, "MISC", "the result is a ORG"),
        ({"image": None}, "ORG", "has no image"),
        ({"image": {"contentUrl": "https://elsewhere.test/a.png", "license": CC}}, "ORG", "not on the allow-list"),
        ({"image": {"contentUrl": "https://example.org/a.png"}}, "ORG", "licence is not known to be free"),
    ],
)
def test_a_result_that_does_not_fit_is_refused(server: FakeServer, fields: dict, kind: str, reason: str) -> None:
    answer = ask(graph(server, result(server, "Quillfox", **fields)), kind=kind)
    assert answer.candidate is None and not answer.unanswered and reason in answer.reason
    assert len(answer.refused) == 1


def test_images_without_a_free_licence_come_where_they_are_asked_for(server: FakeServer) -> None:
    found = result(server, "Quillfox")
    del found["result"]["image"]["license"]
    answer = ask(graph(server, found, free_only=False), kind=None)
    assert answer.candidate is not None and answer.candidate.free is None
    assert "types" not in server.asked[0].query


def test_answers_and_misses_are_asked_once(server: FakeServer) -> None:
    cache = LookupCache(None)
    for _ in range(2):
        assert ask(graph(server, cache=cache)).reason == "the Knowledge Graph has no such entity"
    assert len(server.asked) == 1


def test_a_refused_key_leaves_entities_unanswered_and_is_in_no_message(server: FakeServer) -> None:
    found = graph(server)
    server.on("/v1/entities:search", reply(b'{"error": {"code": 403}}', status=403, kind="application/json"))
    answer = ask(found)
    assert answer.unanswered and "status 403" in answer.reason
    assert KEY not in answer.reason + repr(found) + str(found.identity())


@pytest.mark.parametrize(
    "body", [b"[]", b'{"itemListElement": [1]}', b'{"itemListElement": [{"resultScore": "x"}]}', b"<"]
)
def test_an_answer_of_another_shape_is_no_answer(server: FakeServer, body: bytes) -> None:
    found = graph(server)
    server.on("/v1/entities:search", reply(body, kind="application/json"))
    assert ask(found).unanswered
