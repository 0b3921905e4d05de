"""Requests to a MediaWiki's Action API about titles and files, answered as plain records.

https://www.mediawiki.org/wiki/API:Query with `prop=pageimages` (https://www.mediawiki.org/wiki/Extension:PageImages)
and `prop=imageinfo`. The answer's pages come in any order and under other titles than requested: `normalized`, then
`redirects` lead back. `maxlag` answers with HTTP 200 and an error code, so both status and code are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from blindpo.errors import AnswerError, ServerError
from blindpo.images.fetch import Fetcher

MAX_TITLES: Final = 50
"""The API's limit per call for a client without special rights."""
MAX_TITLE_BYTES: Final = 255
MAX_QUERY_BYTES: Final = 5000
"""Limit for the titles of one call, so that the percent-encoded URL stays under 8 KB."""
MAX_CONTINUES: Final = 40
THUMBNAIL_PX: Final = 500
"""Requested width: that of the released images, and one that Wikimedia still makes."""
BUSY: Final = frozenset({"maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError"})
FORBIDDEN: Final = frozenset("#<>[]|{}\x7f") | {chr(code) for code in range(32)}
METADATA: Final = "LicenseShortName|License|LicenseUrl|Artist|Credit|AttributionRequired|NonFree|UsageTerms"

WikiRecord = dict[str, Any]


def is_title(text: str) -> bool:
    """Return whether a page may be called `text` (https://www.mediawiki.org/wiki/Manual:Page_title)."""
    return bool(text.strip()) and len(text.encode()) <= MAX_TITLE_BYTES and not FORBIDDEN & set(text)


def batches(titles: Sequence[str]) -> Iterator[list[str]]:
    """Split `titles` into batches that fit one call each."""
    batch: list[str] = []
    size = 0
    for title in titles:
        length = len(title.encode()) + 1
        if batch and (len(batch) == MAX_TITLES or size + length > MAX_QUERY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(title)
        size += length
    if batch:
        yield batch


class ActionApi:
    """Asks one wiki's `api.php`."""

    def __init__(self, fetcher: Fetcher, url: str, *, free_only: bool) -> None:
        self._fetcher = fetcher
        self._url = url
        self._free_only = free_only

    def pages(self, titles: Sequence[str]) -> dict[str, WikiRecord | None]:
        """Return a record for each title, None if there is no such page. Raises ServerError and AnswerError.

        Keys of a record: title, page_id, url, section (of a redirect), disambiguation, description, file.
        """
        answer = self._query(
            titles,
            prop="pageimages|pageprops|info",
            piprop="name",
            pilimit=str(MAX_TITLES),
            pilicense="free" if self._free_only else "any",
            ppprop="disambiguation|wikibase-shortdesc",
            inprop="url",
            redirects="1",
        )
        by_title = {page["title"]: page for page in answer["pages"]}
        return {title: _page(by_title, *_final_title(title, answer)) for title in titles}

    def categories(self, titles: Sequence[str]) -> dict[str, list[str]]:
        """Return the visible categories of each page. Many have dozens, so ask only for the pages that need it."""
        answer = self._query(titles, prop="categories", clshow="!hidden", cllimit="max")
        return {
            page["title"]: sorted(entry["title"].partition(":")[2] for entry in page.get("categories", []))
            for page in answer["pages"]
        }

    def links(self, titles: Sequence[str]) -> dict[str, list[str]]:
        """Return the articles that each page links to."""
        answer = self._query(titles, prop="links", plnamespace="0", pllimit="max")
        return {page["title"]: [link["title"] for link in page.get("links", [])] for page in answer["pages"]}

    def files(self, names: Sequence[str]) -> dict[str, WikiRecord | None]:
        """Return the `imageinfo` of each file name (no namespace): addresses, sizes, sha1, licence; None if missing."""
        names_by_title = {f"File:{name}": name for name in names}
        answer = self._query(
            list(names_by_title),
            prop="imageinfo",
            iiprop="url|size|mime|sha1|extmetadata",
            iiurlwidth=str(THUMBNAIL_PX),
            iiextmetadatafilter=METADATA,
            iiextmetadatalanguage="en",
        )
        # a file on Commons has no page here, and is `missing`, but has its imageinfo
        infos = {page["title"]: (page.get("imageinfo") or [None])[0] for page in answer["pages"]}
        return {name: infos.get(_final_title(title, answer)[0] or "") for title, name in names_by_title.items()}

    def _query(self, titles: Sequence[str], **parameters: str) -> WikiRecord:
        """Ask one question with all its continuations, and merge the lists of each page."""
        question = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "maxlag": "5",
            "titles": "|".join(titles),
        }
        pages: dict[str, WikiRecord] = {}
        rest: Mapping[str, str] = {}
        answer: WikiRecord = {}
        for _ in range(MAX_CONTINUES):
            content = self._fetcher.json(self._url, {**question, **parameters, **rest}, busy=_busy)
            part = _require_query(content)
            for page in part.get("pages", []):
                _merge(pages.setdefault(page["title"], {}), page)
            answer = {**part, **answer}
            rest = content.get("continue") or {}
            if not rest:
                return {**answer, "pages": list(pages.values())}
        raise AnswerError(f"the wiki's answer has more than {MAX_CONTINUES} parts")


def _busy(content: Any) -> str | None:
    code = _error_code(content)
    return code if code in BUSY else None


def _error_code(content: Any) -> str | None:
    error = content.get("error") if isinstance(content, dict) else None
    return str(error.get("code")) if isinstance(error, dict) else None


def _require_query(content: Any) -> WikiRecord:
    code = _error_code(content)
    if code is not None:
        raise AnswerError(f"the wiki refuses the question (error code '{code[:60]}')")
    if not isinstance(content, dict) or not isinstance(content.get("query", {}), dict):
        raise ServerError("the wiki's answer has not the shape of one")
    return dict(content.get("query") or {})


def _merge(known: WikiRecord, page: WikiRecord) -> None:
    for key, value in page.items():
        if isinstance(value, list) and isinstance(known.get(key), list):
            known[key] = [*known[key], *value]
        else:
            known[key] = value


def _final_title(title: str, answer: WikiRecord) -> tuple[str | None, str | None]:
    """Return the page's title in the answer, and the section that a redirect led to."""
    section = None
    steps = {step["from"]: step for kind in ("normalized", "converted", "redirects") for step in answer.get(kind, [])}
    seen = set()
    while title in steps and title not in seen:
        seen.add(title)
        section = steps[title].get("tofragment") or section
        title = steps[title]["to"]
    return (None if title in seen else title), section


def _page(by_title: Mapping[str, WikiRecord], title: str | None, section: str | None) -> WikiRecord | None:
    page = by_title.get(title or "")
    if page is None or page.get("missing") or page.get("invalid") or page.get("ns") != 0:
        return None
    properties = page.get("pageprops", {})
    return {
        "title": page["title"],
        "page_id": page["pageid"],
        "url": page.get("fullurl"),
        "section": section,
        "disambiguation": "disambiguation" in properties,
        "description": properties.get("wikibase-shortdesc"),
        "file": page.get("pageimage"),
    }
