"""Read a file's rights from its `extmetadata`, and decide whether it is free.

Field names: https://www.mediawiki.org/wiki/Extension:CommonsMetadata. Free is used in Wikimedia's sense: a licence is
named and the file is not marked as non-free. If no licence is named, the answer is None: unknown.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_NOT_FREE: Final = re.compile(r"fair use|non-?free|all rights reserved|\bcopyrighted\b|\b(?:nc|nd)\b", re.IGNORECASE)
_FREE_URL: Final = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/(?:licenses/(?:by|by-sa)/|publicdomain/|licenses/publicdomain)"
    r"|https?://(?:www\.)?(?:gnu\.org/(?:licenses|copyleft)/fdl|gnu\.org/licenses/gfdl)"
)
_TAG: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Licence and author of one file as its source states them; None is unknown."""

    licence: str | None = None
    licence_url: str | None = None
    author: str | None = None
    attribution_required: bool | None = None
    non_free: bool | None = None

    @property
    def free(self) -> bool | None:
        """True, False, or None if unknown."""
        if self.non_free or _NOT_FREE.search(self.licence or ""):
            return False
        return True if self.licence else None


def rights_of(metadata: Mapping[str, Any]) -> Rights:
    """Return the rights in `extmetadata`; its values are HTML, mostly plain text."""
    values = {name: plain(str(entry.get("value", ""))) for name, entry in metadata.items() if isinstance(entry, dict)}
    return Rights(
        licence=values.get("LicenseShortName") or values.get("UsageTerms") or None,
        licence_url=values.get("LicenseUrl") or None,
        author=values.get("Artist") or values.get("Credit") or None,
        attribution_required=_truth(values.get("AttributionRequired")),
        non_free=_truth(values.get("NonFree")),
    )


def is_free_url(url: str | None) -> bool | None:
    """Return True if `url` names a known free licence, else None.

    >>> is_free_url("https://creativecommons.org/licenses/by-sa/3.0/"), is_free_url(None)
    (True, None)
    """
    return True if url and _FREE_URL.match(url) else None


def plain(text: str) -> str:
    """Return HTML as one line of text.

    >>> plain('<a href="//example.org">A.&nbsp;Painter</a>')
    'A. Painter'
    """
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _truth(value: str | None) -> bool | None:
    return None if not value else value.lower() in {"true", "1", "yes"}
