"""The one list of formats."""

from typing import Final

from blindpo.errors import ConfigError
from blindpo.formats.base import Format
from blindpo.formats.llava import Llava
from blindpo.formats.mmsafe_po import MMSafePO
from blindpo.formats.trl import Trl

FORMATS: Final[dict[str, Format]] = {"mmsafe-po": MMSafePO(), "trl": Trl(), "llava": Llava()}


def find_format(name: str) -> Format:
    """The format called `name`. Raises ConfigError that lists all."""
    if name not in FORMATS:
        raise ConfigError(f"unknown format '{name}'; allowed: {', '.join(FORMATS)}")
    return FORMATS[name]
