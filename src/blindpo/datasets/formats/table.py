"""The one list of formats."""

import difflib
from typing import Final

from blindpo.datasets.formats.base import Format
from blindpo.datasets.formats.hh_rlhf import HHRLHF
from blindpo.datasets.formats.llava import Llava
from blindpo.datasets.formats.mmsafe_po import MMSafePO
from blindpo.datasets.formats.trl import Trl
from blindpo.errors import ConfigError

FORMATS: Final[dict[str, Format]] = {"mmsafe-po": MMSafePO(), "trl": Trl(), "llava": Llava(), "hh-rlhf": HHRLHF()}


def find_format(name: str) -> Format:
    """The format called `name`. Raises ConfigError that lists all."""
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"unknown format '{name}'; allowed: {', '.join(FORMATS)}{hint}")
    return FORMATS[name]
