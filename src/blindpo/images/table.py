"""The one list of image sources, by the names that a recipe's `sources` gives, and how each is made from its keys."""

import difflib
from collections.abc import Callable, Sequence
from typing import Final

from blindpo.errors import ConfigError
from blindpo.images.base import ImageSource, SourceConfig
from blindpo.images.catalogue import Catalogue


def _catalogue(config: SourceConfig) -> ImageSource:
    if not config.catalogue:
        raise ConfigError("the source 'catalogue' needs its folder: --set catalogue=DIR")
    return Catalogue(config.catalogue_folder)


SOURCES: Final[dict[str, Callable[[SourceConfig], ImageSource]]] = {"catalogue": _catalogue}


def make_sources(names: Sequence[str], config: SourceConfig) -> list[ImageSource]:
    """The sources called `names`, in their order: each is asked for what those before it did not find.

    Raises ConfigError for an unknown name or a key that a source needs, SourceError for a folder that cannot be used.
    """
    for name in names:
        if name not in SOURCES:
            close = difflib.get_close_matches(name, SOURCES, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            raise ConfigError(f"sources: unknown image source '{name}'; allowed: {', '.join(SOURCES)}{hint}")
    return [SOURCES[name](config) for name in names]
