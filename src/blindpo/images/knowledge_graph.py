"""The image source `knowledge-graph`: Google's Knowledge Graph Search API, the paper's second source (section 3.1).

https://developers.google.com/knowledge-graph/reference/rest/v1. Its search is fuzzy: the released rows hold one
company's logo for another. So a result counts only with a score above a threshold, a name equal to the entity's (case
and typographic signs folded) and an agreeing type; the first that passes every check is kept, the others are noted.
Google leaves rights to the user: unless the result itself names a free licence, an image is refused while `free_only`
is true. The key goes into the request and nowhere else: no message, no cache, no log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from blindpo.errors import AnswerError, FetchError, ServerError
from blindpo.images.base import Accept, Candidate, LookupAnswer, Query, Refused, first_accepted
from blindpo.images.cache import Stored
from blindpo.images.fetch import Fetcher
from blindpo.images.licences import is_free_url
from blindpo.images.names import same_name
from blindpo.rows.row import ImageRef

NAME: Final = "knowledge-graph"
NUM_RESULTS: Final = 10
SCHEMA_TYPES: Final = {"PER": "Person", "LOC": "Place", "ORG": "Organization"}
"""schema.org's type of each entity type; MISC is everything else."""

Result = dict[str, Any]


@dataclass(slots=True)
class KnowledgeGraph:
    """The image source for one search endpoint."""

    fetcher: Fetcher
    api_url: str
    key: str = field(repr=False)
    min_score: float
    """Smallest `resultScore`; its scale is Google's, a well-known entity has hundreds to thousands."""
    free_only: bool = True
    name: str = NAME

    def identity(self) -> object:
        """Return what is asked, and of which server, without the key."""
        return {"api_url": self.api_url, "min_score": self.min_score, "free_only": self.free_only, "rules": 1}

    @property
    def _table(self) -> str:
        return f"{self.name} {self.api_url}"

    def look_up(self, queries: Sequence[Query], accept: Accept) -> Iterator[LookupAnswer]:
        """Answer all queries, with one request for each entity that is not in the cache."""
        return (self._answer(query, accept) for query in queries)

    def _answer(self, query: Query, accept: Accept) -> LookupAnswer:
        try:
            results = self._results(query)
            answer = first_accepted(
                query, self._offers(query, results), accept, miss="the Knowledge Graph has no such entity"
            )
        except FetchError as error:
            return LookupAnswer(query=query, reason=str(error), unanswered=True)
        if answer.candidate is None:
            return answer
        rest = results[len(answer.refused) + 1 :]
        noted = [
            Refused(title=result["name"], source=self.name, reason="after the one that was kept") for result in rest
        ]
        return LookupAnswer(query=query, candidate=answer.candidate, refused=(*answer.refused, *noted))

    def _results(self, query: Query) -> list[Result]:
        """Return the search results, best first, from the cache if possible."""
        key = f"{query.text}\t{query.type or ''}"
        stored = self.fetcher.cache.get(self._table, key)
        if stored is None:
            parameters = {"query": query.text, "limit": str(NUM_RESULTS), "languages": "en", "key": self.key}
            if query.type in SCHEMA_TYPES:
                parameters["types"] = SCHEMA_TYPES[query.type]
            content = self.fetcher.json(self.api_url, parameters)
            results = _read(content)
            stored = Stored(kind="answer" if results else "miss", value=results, time=self.fetcher.now())
            self.fetcher.cache.put(self._table, {key: stored})
        return list(stored.value)

    def _offers(self, query: Query, results: Sequence[Result]) -> Iterator[Candidate | Refused]:
        for result in results:
            wrong = self._wrong(query, result)
            try:
                image = None if wrong else self.fetcher.image(result["image_url"])
            except AnswerError as error:
                image, wrong = None, f"the image is refused: {error}"
            if image is None or image.body is None:
                yield Refused(title=result["name"], source=self.name, reason=wrong or "the image is not there")
            else:
                yield _candidate(result, image)

    def _wrong(self, query: Query, result: Result) -> str | None:
        """Return what is wrong with a result before its image is fetched, or None."""
        kind = entity_type(result["types"])
        if result["score"] < self.min_score:
            return f"the score {result['score']:g} is below {self.min_score:g}"
        if not same_name(query.text, result["name"]):
            return "the result has another name"
        if query.type is not None and query.type != kind:
            return f"the result is a {kind}, the text is about a {query.type}"
        if not result["image_url"]:
            return "the result has no image"
        if self.free_only and not is_free_url(result["licence_url"]):
            return "the image's licence is not known to be free"
        return None


def entity_type(types: Sequence[str]) -> str:
    """Return the entity type for schema.org types.

    >>> entity_type(["Thing", "City", "Place"])
    'LOC'
    """
    return next((kind for kind, name in SCHEMA_TYPES.items() if name in types), "MISC")


def _candidate(result: Result, image: Stored) -> Candidate:
    known = {
        "id": result["id"],
        "description": result["description"],
        "licence_url": result["licence_url"],
        "fetched": image.time,
    }
    return Candidate(
        image=ImageRef(
            data=image.body or b"",
            file=_file_name(result["image_url"]),
            title=result["name"],
            page=result["page_url"],
            licence=result["licence_url"],
        ),
        source=NAME,
        entity_type=entity_type(result["types"]),
        free=is_free_url(result["licence_url"]),
        score=result["score"],
        details={key: value for key, value in known.items() if value},
    )


def _file_name(url: str) -> str:
    """Return the file name as in the released rows: the text after `q=`, else the last part of the path."""
    parts = urlsplit(url)
    return parse_qs(parts.query).get("q", [""])[0] or parts.path.rpartition("/")[2]


def _read(content: Any) -> list[Result]:
    """Return the results of an answer as plain records, best first. Raises ServerError if it has another shape."""
    try:
        results = [_result(element) for element in content.get("itemListElement", [])]
    except (AttributeError, TypeError, ValueError) as error:
        raise ServerError("the Knowledge Graph's answer has not the shape of one") from error
    return sorted(results, key=lambda result: -result["score"])


def _result(element: Mapping[str, Any]) -> Result:
    content = element.get("result") or {}
    image = content.get("image") or {}
    return {
        "id": str(content.get("@id", "")),
        "name": str(content.get("name", "")),
        "types": [str(name) for name in content.get("@type", [])],
        "description": str(content.get("description", "")),
        "score": float(element.get("resultScore", 0.0)),
        "image_url": str(image.get("contentUrl", "")),
        "page_url": image.get("url") or (content.get("detailedDescription") or {}).get("url"),
        "licence_url": image.get("license"),
    }
