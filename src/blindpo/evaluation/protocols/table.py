"""The one list of protocols, and what each benchmark is scored by."""

from collections.abc import Iterable
from typing import Final

from blindpo.errors import ConfigError
from blindpo.evaluation.protocols.official import OFFICIAL
from blindpo.evaluation.protocols.ours import OUR_PROTOCOLS
from blindpo.evaluation.protocols.protocol import ScoringProtocol
from blindpo.jobs.recipe import meant
from blindpo.rows.row import PreferenceRow

PROTOCOLS: Final[dict[str, ScoringProtocol]] = {protocol.id: protocol for protocol in (*OFFICIAL, *OUR_PROTOCOLS)}


def find_protocol(name: str) -> ScoringProtocol:
    """The protocol called `name`. Raises ConfigError with the closest one."""
    if name not in PROTOCOLS:
        raise ConfigError(f"unknown protocol '{name}'{meant(name, PROTOCOLS)}; 'blindpo protocols' lists all")
    return PROTOCOLS[name]


def fitting(rows: Iterable[PreferenceRow]) -> list[ScoringProtocol]:
    """The protocols that fit every one of `rows`."""
    sources = {row.provenance.source: row for row in rows}
    return [each for each in PROTOCOLS.values() if all(each.fits(row) for row in sources.values())]
