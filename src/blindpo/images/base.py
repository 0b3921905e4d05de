"""The interface of image sources: each named entity is answered with an image and its origin, or with a reason.

Look-ups are one batch over the distinct entities of a whole data set, so that a source can ask a server for fifty names
at a time, keep within its limits and store the answers. A source offers its candidates one by one; the first in which
`accept` finds no fault is the answer, the others are recorded with the reason.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from blindpo.jobs.settings import option
from blindpo.rows.row import ImageRef

EntityType = Literal["PER", "LOC", "ORG", "MISC"]
ENTITY_TYPES: Final[tuple[str, ...]] = get_args(EntityType)
"""The four types of CoNLL-2003, which the released rows use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One entity to find an image of."""

    text: str
    """The name as written in the dialogue."""
    type: str | None = None
    """One of ENTITY_TYPES, or None if the recogniser gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One image that a source offers for a query."""

    image: ImageRef
    """Encoded bytes; file name, title, page, licence and author as the source states them, None if it does not."""
    source: str
    """The source's name in `table.py`."""
    entity_type: str | None = None
    """The entity's type according to the source, one of ENTITY_TYPES."""
    free: bool | None = None
    """Whether the licence is free; None if unknown."""
    score: float | None = None
    """The source's own score of the match; its scale is the source's."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Other facts worth keeping: licence_url, sha1 of the original, page id, plural, ..."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A candidate that was examined and not taken."""

    title: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupAnswer:
    """A source's answer to one query. If `candidate` is None it is a miss, and `reason` says why."""

    query: Query
    candidate: Candidate | None = None
    refused: tuple[Refused, ...] = ()
    reason: str = ""
    unanswered: bool = False
    """True if the source could not be asked (server down, limits): a later try may succeed."""


Accept = Callable[[Query, Candidate], str | None]
"""Returns what is wrong with a candidate, or None."""


class ImageSource(Protocol):
    """One place where images come from."""

    name: str

    def identity(self) -> object:
        """Return JSON that changes whenever the source's answers may: part of a build's identity."""

    def look_up(self, queries: Sequence[Query], accept: Accept) -> Iterator[LookupAnswer]:
        """Yield one answer per query, in order. A failure of one query is its answer, never an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """Settings of the image sources: keys of a build recipe."""

    catalogue: str = option("", changes_result=False)
    """The folder of the source `catalogue`, and of the recogniser of that name: images with an index.jsonl."""
    free_only: bool = True
    """Refuse images that are marked as not free. From the network, images without a known licence are refused too."""
    contact: str = option("", changes_result=False)
    """Your own e-mail address or web page. Sources on the network need it, since their servers are told who runs the
    build."""
    lookup_cache: str = option("", changes_result=False)
    """The file that keeps what servers answered. Without it, blindpo/lookups.sqlite in your cache folder is used."""
    requests_per_minute: float = option(180.0, changes_result=False)
    """The most requests per minute to each source on the network. Wikimedia allows 200 to a client that says who runs
    it."""
    proxy: Literal["none", "environment"] = option("none", changes_result=False)
    """Whether requests go through a proxy. environment: through $HTTPS_PROXY, which then resolves the names."""
    wikipedia_api: str = "https://en.wikipedia.org/w/api.php"
    """The address of the Action API of the wiki that the source `wikipedia` asks."""
    knowledge_graph_api: str = "https://kgsearch.googleapis.com/v1/entities:search"
    """The address at which the source `knowledge-graph` searches."""
    knowledge_graph_key_variable: str = option("KNOWLEDGE_GRAPH_API_KEY", changes_result=False)
    """The name of the environment variable that holds the Knowledge Graph's key. The key itself is written nowhere."""
    knowledge_graph_min_score: float = 100.0
    """Results of the Knowledge Graph that score less than this are refused."""
    image_hosts: tuple[str, ...] = ("upload.wikimedia.org", "thumb.wikimedia.org", "gstatic.com")
    """The hosts from which images are taken, with all hosts below them. They hold after a redirect too."""

    @property
    def catalogue_folder(self) -> Path:
        """The catalogue's folder as a path."""
        return Path(self.catalogue)

    @property
    def cache_file(self) -> Path:
        """The file of stored answers."""
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return Path(self.lookup_cache) if self.lookup_cache else home / "blindpo" / "lookups.sqlite"


def first_accepted(query: Query, offers: Iterator[Candidate | Refused], accept: Accept, *, miss: str) -> LookupAnswer:
    """Return the answer from `offers`: the first candidate in which `accept` finds no fault.

    An offer that failed already (its image cannot be had) comes as Refused. The reason of a miss is `miss` if there are
    no offers, else that of the last one refused.
    """
    refused: list[Refused] = []
    for offer in offers:
        if isinstance(offer, Refused):
            refused.append(offer)
            continue
        wrong = accept(query, offer)
        if wrong is None:
            return LookupAnswer(query=query, candidate=offer, refused=tuple(refused))
        title = offer.image.title or offer.image.file or ""
        refused.append(Refused(title=title, source=offer.source, reason=wrong))
    return LookupAnswer(query=query, refused=tuple(refused), reason=refused[-1].reason if refused else miss)
