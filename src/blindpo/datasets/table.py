"""The one list of sources, found by the names that `import`, `export`, `benchmarks` and a suite take."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from blindpo.datasets.benchmarks.figstep import FigStep
from blindpo.datasets.benchmarks.holisafe import HoliSafe
from blindpo.datasets.benchmarks.mm_safetybench import MMSafetyBench
from blindpo.datasets.benchmarks.mmsafe_po import MMSafePOTest
from blindpo.datasets.benchmarks.mossbench import MossBench
from blindpo.datasets.benchmarks.mssbench import MssBench
from blindpo.datasets.benchmarks.msts import Msts
from blindpo.datasets.benchmarks.siuo import Siuo
from blindpo.datasets.benchmarks.spa_vl import SpaVl
from blindpo.datasets.benchmarks.vlguard import VlGuard
from blindpo.datasets.benchmarks.vlsbench import VlsBench
from blindpo.datasets.benchmarks.vscbench import VscBench
from blindpo.datasets.benchmarks.xstest import XsTest
from blindpo.datasets.download import CHECKSUMS, Download
from blindpo.datasets.formats.base import Format
from blindpo.datasets.formats.hh_rlhf import HHRLHF
from blindpo.datasets.formats.llava import Llava
from blindpo.datasets.formats.mmsafe_po import MMSafePO
from blindpo.datasets.formats.trl import Trl
from blindpo.datasets.source import Benchmark, RowSource
from blindpo.errors import ConfigError, SourceError
from blindpo.jobs.recipe import meant

FORMATS: Final[dict[str, Format]] = {each.name: each for each in (MMSafePO(), Trl(), Llava(), HHRLHF())}

_BENCHMARKS: Final[tuple[Benchmark, ...]] = (
    MMSafePOTest(),
    MMSafetyBench(tiny=False),
    MMSafetyBench(tiny=True),
    SpaVl("harm"),
    SpaVl("help"),
    MssBench(),
    VlGuard(),
    MossBench(),
    XsTest(),
    VscBench(),
    HoliSafe(),
    Siuo(),
    VlsBench(),
    FigStep(tiny=False),
    FigStep(tiny=True),
    Msts(),
)
BENCHMARKS: Final[dict[str, Benchmark]] = {each.name: each for each in _BENCHMARKS}
ROW_SOURCES: Final[dict[str, RowSource]] = {**FORMATS, **BENCHMARKS}


def find_source(name: str) -> RowSource:
    """The format or benchmark called `name`. Raises ConfigError that lists all."""
    return ROW_SOURCES[_known(name, ROW_SOURCES, "format or benchmark")]


def find_format(name: str) -> Format:
    """The format called `name`. Raises ConfigError that lists all."""
    return FORMATS[_known(name, FORMATS, "format")]


def find_benchmark(name: str) -> Benchmark:
    """The benchmark called `name`. Raises ConfigError that lists all."""
    return BENCHMARKS[_known(name, BENCHMARKS, "benchmark")]


def _known(name: str, table: Mapping[str, object], kind: str) -> str:
    if name not in table:
        raise ConfigError(f"unknown {kind} '{name}'; allowed: {', '.join(table)}{meant(name, table)}")
    return name


def list_benchmarks(data: Path | None = None) -> list[dict[str, Any]]:
    """One record per benchmark: its card, and with `data` what `data/NAME` holds ("on_disk", "missing")."""
    return [_listed(benchmark, data) for benchmark in BENCHMARKS.values()]


def _listed(benchmark: Benchmark, data: Path | None) -> dict[str, Any]:
    card = {**asdict(benchmark.card), "verified": benchmark.card.verified}
    card.pop("sha256")
    return card if data is None else {**card, **_on_disk(benchmark, data / benchmark.name)}


def _on_disk(benchmark: Benchmark, folder: Path) -> dict[str, Any]:
    """Whether the files exist, from their names alone: a list must not read large files."""
    fetch = benchmark.card.fetch_into(folder)
    status: dict[str, Any] = {"folder": str(folder), "fetch": fetch, "on_disk": "nothing", "files": [], "missing": None}
    if not folder.is_dir():
        return status
    download = Download(folder, fetch, benchmark.card.sha256)
    try:
        names = benchmark.files(download)
    except SourceError as error:
        return {**status, "on_disk": "incomplete", "missing": str(error)}
    lacking = [name for name in names if not download.has(name)]
    if lacking:
        return {**status, "on_disk": "incomplete", "files": names, "missing": str(download.missing(lacking[0]))}
    used = (folder / CHECKSUMS).is_file()
    return {**status, "on_disk": "files, imported before" if used else "files", "files": names}
