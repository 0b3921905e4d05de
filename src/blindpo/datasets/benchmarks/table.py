"""The one list of benchmarks."""

import difflib
from typing import Final

from blindpo.datasets.benchmarks.base import Benchmark
from blindpo.datasets.benchmarks.figstep import FigStep
from blindpo.datasets.benchmarks.holisafe import HoliSafe
from blindpo.datasets.benchmarks.mm_safetybench import MMSafetyBench
from blindpo.datasets.benchmarks.mmsafe_po import MMSafePoTest
from blindpo.datasets.benchmarks.mossbench import MossBench
from blindpo.datasets.benchmarks.mssbench import MssBench
from blindpo.datasets.benchmarks.msts import Msts
from blindpo.datasets.benchmarks.siuo import Siuo
from blindpo.datasets.benchmarks.spa_vl import SpaVl
from blindpo.datasets.benchmarks.vlguard import VlGuard
from blindpo.datasets.benchmarks.vlsbench import VlsBench
from blindpo.datasets.benchmarks.vscbench import VscBench
from blindpo.datasets.benchmarks.xstest import XsTest
from blindpo.errors import ConfigError

_ALL: Final[tuple[Benchmark, ...]] = (
    MMSafePoTest(),
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
BENCHMARKS: Final[dict[str, Benchmark]] = {benchmark.card.name: benchmark for benchmark in _ALL}


def find_benchmark(name: str) -> Benchmark:
    """The benchmark called `name`. Raises ConfigError that lists all."""
    if name not in BENCHMARKS:
        close = difflib.get_close_matches(name, BENCHMARKS, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"unknown benchmark '{name}'; allowed: {', '.join(BENCHMARKS)}{hint}")
    return BENCHMARKS[name]
