"""The one list of benchmarks."""

import difflib
from typing import Final

from blindpo.errors import ConfigError
from blindpo.evaluate.benchmarks.base import Benchmark
from blindpo.evaluate.benchmarks.figstep import FigStep
from blindpo.evaluate.benchmarks.holisafe import HoliSafe
from blindpo.evaluate.benchmarks.mm_safetybench import MMSafetyBench
from blindpo.evaluate.benchmarks.mmsafe_po import MMSafePoTest
from blindpo.evaluate.benchmarks.mossbench import MossBench
from blindpo.evaluate.benchmarks.mssbench import MssBench
from blindpo.evaluate.benchmarks.msts import Msts
from blindpo.evaluate.benchmarks.siuo import Siuo
from blindpo.evaluate.benchmarks.spa_vl import SpaVl
from blindpo.evaluate.benchmarks.vlguard import VlGuard
from blindpo.evaluate.benchmarks.vlsbench import VlsBench
from blindpo.evaluate.benchmarks.vscbench import VscBench
from blindpo.evaluate.benchmarks.xstest import XsTest

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
