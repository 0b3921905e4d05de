"""The one list of protocols, and what each benchmark is scored by."""

import difflib
from collections.abc import Iterable
from typing import Final

from blindpo.errors import ConfigError
from blindpo.evaluation.protocols.official import OFFICIAL
from blindpo.evaluation.protocols.ours import OUR_PROTOCOLS
from blindpo.evaluation.protocols.protocol import ScoringProtocol
from blindpo.rows.row import PreferenceRow

PROTOCOLS: Final[dict[str, ScoringProtocol]] = {protocol.id: protocol for protocol in (*OFFICIAL, *OUR_PROTOCOLS)}


def find_protocol(name: str) -> ScoringProtocol:
    """The protocol called `name`. Raises ConfigError with the closest one."""
    if name not in PROTOCOLS:
        close = difflib.get_close_matches(name, PROTOCOLS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"unknown protocol '{name}'{hint}; 'blindpo protocols' lists all")
    return PROTOCOLS[name]


def fitting(rows: Iterable[PreferenceRow]) -> list[ScoringProtocol]:
    """The protocols that fit every one of `rows`."""
    sources = {row.provenance.source: row for row in rows}
    return [each for each in PROTOCOLS.values() if all(each.fits(row) for row in sources.values())]
