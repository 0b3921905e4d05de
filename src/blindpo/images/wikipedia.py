"""The image source `wikipedia`: an entity's page, the page's image, and the image's licence and author.

The paper's first source (section 3.1). It is asked for fifty names per call over the distinct entities of the whole
data set, and every answer is stored (misses too), so that a stopped run asks only for what is missing. The paper's
mistakes are refused here by name: pages that only list the meanings of a name (accepted if exactly one of the listed
pages has the entity's type), redirects into a section of a page about something else, files without a free licence. The
image is the thumbnail whose address the API gives; its width is requested, its address never built.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from blindpo.errors import AnswerError, FetchError, ServerError
from blindpo.images.base import Accept, Candidate, LookupAnswer, Query, Refused, first_accepted
from blindpo.images.cache import Stored
from blindpo.images.fetch import Fetcher
from blindpo.images.licences import Rights, rights_of
from blindpo.images.names import plain_signs, same_name
from blindpo.images.page_types import page_type, split_title
from blindpo.images.wikipedia_api import ActionApi, WikiRecord, batches, is_title
from blindpo.jobs.progress import progress
from blindpo.rows.row import ImageRef

NAME: Final = "wikipedia"
MAX_OPTIONS: Final = 20
"""How many pages of one disambiguation page are examined."""


@dataclass(slots=True)
class Wikipedia:
    """The image source for one wiki's `api.php`; `free_only` leaves out files not known to be free."""

    fetcher: Fetcher
    api_url: str
    free_only: bool = True
    name: str = NAME
    _api: ActionApi = field(init=False)
    _unanswered: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._api = ActionApi(self.fetcher, self.api_url, free_only=self.free_only)

    def identity(self) -> object:
        """Return what is asked, and of which server; the answers are in the cache."""
        return {"api_url": self.api_url, "free_only": self.free_only, "rules": 1}

    @property
    def _table(self) -> str:
        return f"{self.name} {self.api_url} {'free' if self.free_only else 'any'}"

    def look_up(self, queries: Sequence[Query], accept: Accept) -> Iterator[LookupAnswer]:
        """Ask for all names first, in batches; images are fetched one by one as answers are taken."""
        self._unanswered = {}
        self._ask([title_of(query) for query in queries])
        options = {query.text: self._options(title_of(query)) for query in queries if query.type is not None}
        self._ask([title for titles in options.values() for title in titles])
        for query in queries:
            yield self._answer(query, options.get(query.text, []), accept)

    def _ask(self, titles: Sequence[str]) -> None:
        """Fill the cache with records of `titles`. A batch without an answer is remembered as unanswered."""
        wanted = [title for title in dict.fromkeys(titles) if self.fetcher.cache.get(self._table, title) is None]
        wanted = [title for title in wanted if is_title(title) and title not in self._unanswered]
        with progress(len(wanted), f"names at {self.name}") as bar:
            for batch in batches(wanted):
                self._ask_batch(batch)
                bar.update(len(batch))

    def _ask_batch(self, titles: Sequence[str]) -> None:
        try:
            records = self._records(titles)
        except FetchError as error:
            self._unanswered.update(dict.fromkeys(titles, str(error)))
            return
        now = self.fetcher.now()
        self.fetcher.cache.put(self._table, {title: _stored(record, now) for title, record in records.items()})

    def _records(self, titles: Sequence[str]) -> dict[str, WikiRecord | None]:
        """Return pages with their file's information, the texts that tell the type, and a disambiguation's links."""
        pages = self._api.pages(titles)
        known = [page for page in pages.values() if page is not None]
        lists = sorted({page["title"] for page in known if page["disambiguation"]})
        names = sorted({page["file"] for page in known if page["file"] and not page["disambiguation"]})
        untold = sorted({page["title"] for page in known if page_type(page["title"], page["description"], []) is None})
        links: dict[str, list[str]] = {}
        files: dict[str, WikiRecord | None] = {}
        categories: dict[str, list[str]] = {}
        for batch in batches(lists):
            links.update(self._api.links(batch))
        for batch in batches([title for title in untold if title not in lists]):
            categories.update(self._api.categories(batch))
        for batch in batches(names):
            files.update(self._api.files(batch))
        for page in known:
            page["links"] = links.get(page["title"], [])
            page["categories"] = categories.get(page["title"], [])
            page["info"] = files.get(page["file"] or "")
        return pages

    def _options(self, title: str) -> list[str]:
        """Return the pages under a disambiguation page with exactly its name, apart from a word in brackets."""
        record = self._record(title)
        if record is None or not record["disambiguation"]:
            return []
        name = split_title(record["title"])[0]
        return [link for link in record["links"] if same_name(split_title(link)[0], name)][:MAX_OPTIONS]

    def _record(self, title: str) -> WikiRecord | None:
        stored = self.fetcher.cache.get(self._table, title)
        return None if stored is None or stored.kind != "answer" else dict(stored.value, time=stored.time)

    def _answer(self, query: Query, options: Sequence[str], accept: Accept) -> LookupAnswer:
        title = title_of(query)
        if not is_title(title):
            return LookupAnswer(query=query, reason="no wiki page can have this name")
        for wanted in (title, *options):
            if wanted in self._unanswered:
                return LookupAnswer(query=query, reason=self._unanswered[wanted], unanswered=True)
        record = self._record(title)
        if record is None:
            return LookupAnswer(query=query, reason="the wiki has no page of this name")
        if record["disambiguation"]:
            record, reason = self._one_of(query, options)
            if record is None:
                return LookupAnswer(query=query, reason=reason)
        try:
            return first_accepted(query, self._offers(query, record), accept, miss="the page has no image")
        except ServerError as error:
            return LookupAnswer(query=query, reason=str(error), unanswered=True)

    def _one_of(self, query: Query, options: Sequence[str]) -> tuple[WikiRecord | None, str]:
        """Return the one page of the entity's type among `options`; else None and the reason."""
        if query.type is None:
            return None, "the name stands for several things, and the entity's type is not known"
        records = [
            record for record in map(self._record, options) if record is not None and not record["disambiguation"]
        ]
        fitting = [record for record in records if _type_of(record) == query.type]
        if len(fitting) == 1:
            return fitting[0], ""
        return None, f"the name stands for several things, {len(fitting)} of them of type {query.type}"

    def _offers(self, query: Query, record: WikiRecord) -> Iterator[Candidate | Refused]:
        """Yield the record's image, or what is wrong with it; checks that need no image come before the fetch."""
        info = record["info"] or {}
        rights = rights_of(info.get("extmetadata") or {})
        wrong = self._wrong(query, record, rights)
        try:
            stored = None if wrong else self.fetcher.image(info["thumburl"])
        except AnswerError as error:
            stored, wrong = None, f"the image is refused: {error}"
        if stored is None or stored.body is None:
            reason = wrong or "the image is not there"
            yield Refused(title=record["title"], source=self.name, reason=reason)
            return
        yield Candidate(
            image=ImageRef(
                data=stored.body,
                file=urlsplit(info["thumburl"]).path.rpartition("/")[2],
                title=record["title"],
                page=record["url"],
                licence=rights.licence,
                author=rights.author,
            ),
            source=self.name,
            entity_type=_type_of(record),
            free=rights.free,
            details=_details(record, info, rights=rights, fetched=stored.time),
        )

    def _wrong(self, query: Query, record: WikiRecord, rights: Rights) -> str | None:
        """Return what is wrong with the record before its image is fetched, or None."""
        kind = _type_of(record)
        if record["section"] is not None:
            return "the name leads into a section of a page about something else"
        if query.type and kind and query.type != kind:
            return f"the page is about a {kind}, the text about a {query.type}"
        if not record["file"]:
            return f"the page has no {'free ' if self.free_only else ''}image"
        if self.free_only and not rights.free:
            return "the image is not free" if rights.free is False else "the image's licence is not known"
        return None if (record["info"] or {}).get("thumburl") else "the wiki gives no thumbnail of the image"


def title_of(query: Query) -> str:
    """Return the page title to ask for: titles have plain apostrophes and dashes, and composed letters."""
    return " ".join(unicodedata.normalize("NFC", plain_signs(query.text)).split())


def _type_of(record: Mapping[str, Any]) -> str | None:
    return page_type(record["title"], record["description"], record["categories"])


def _stored(record: WikiRecord | None, now: str) -> Stored:
    if record is None:
        return Stored(kind="miss", value="no page", time=now)
    return Stored(kind="answer", value=record, time=now)


def _details(record: WikiRecord, info: Mapping[str, Any], *, rights: Rights, fetched: str) -> dict[str, str]:
    """Return the facts about the image beyond the row's own fields."""
    known = {
        "page_id": record["page_id"],
        "file": record["file"],
        "description_url": info.get("descriptionurl"),
        "original_url": info.get("url"),
        "original_sha1": info.get("sha1"),
        "licence_url": rights.licence_url,
        "attribution_required": rights.attribution_required,
        "non_free": rights.non_free,
        "fetched": fetched,
    }
    return {key: str(value) for key, value in known.items() if value is not None}
