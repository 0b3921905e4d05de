"""The one list of image sources, by their names in a recipe's `sources`, each with its maker."""

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from blindpo.errors import ConfigError
from blindpo.images.base import ImageSource, SourceConfig
from blindpo.images.catalogue import Catalogue
from blindpo.jobs.recipe import meant


def _catalogue(config: SourceConfig) -> ImageSource:
    if not config.catalogue:
        raise ConfigError("the source 'catalogue' needs its folder: --set catalogue=DIR")
    return Catalogue(config.catalogue_folder)


def _fetcher(config: SourceConfig, base: str) -> Any:
    """Make a client for one source: each server counts an operator's requests on its own."""
    # the HTTP client is loaded only where a recipe names a source on the network
    from blindpo.images.cache import LookupCache
    from blindpo.images.fetch import Fetcher
    from blindpo.images.fetch_config import FetchConfig

    fetching = FetchConfig(
        contact=config.contact,
        hosts=config.image_hosts,
        requests_per_minute=config.requests_per_minute,
        proxy=config.proxy,
    )
    return Fetcher(fetching, LookupCache(config.cache_file), bases=(base,))


def _wikipedia(config: SourceConfig) -> ImageSource:
    from blindpo.images.wikipedia import Wikipedia

    return Wikipedia(_fetcher(config, config.wikipedia_api), config.wikipedia_api, free_only=config.free_only)


def _knowledge_graph(config: SourceConfig) -> ImageSource:
    from blindpo.images.knowledge_graph import KnowledgeGraph

    variable = config.knowledge_graph_key_variable
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(f"the source 'knowledge-graph' needs a key in the environment variable {variable}")
    return KnowledgeGraph(
        _fetcher(config, config.knowledge_graph_api),
        config.knowledge_graph_api,
        key=key,
        min_score=config.knowledge_graph_min_score,
        free_only=config.free_only,
    )


SOURCES: Final[dict[str, Callable[[SourceConfig], ImageSource]]] = {
    "catalogue": _catalogue,
    "wikipedia": _wikipedia,
    "knowledge-graph": _knowledge_graph,
}


def make_sources(names: Sequence[str], config: SourceConfig) -> list[ImageSource]:
    """Make the sources called `names`, in order: each is asked for what those before it did not find.

    Raises ConfigError for an unknown name or a key that a source needs, SourceError for a folder that cannot be used.
    """
    for name in names:
        if name not in SOURCES:
            allowed = ", ".join(SOURCES)
            raise ConfigError(f"sources: unknown image source '{name}'; allowed: {allowed}{meant(name, SOURCES)}")
    return [SOURCES[name](config) for name in names]
