"""The ratios of the trainer's bench and its table, by hand: nothing is timed."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    for name in ("trainer", "world"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = importlib.import_module("trainer")
    for name in ("trainer", "world"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return found


def a_round(variant: str, cpu_s: float, peak: float) -> dict[str, Any]:
    return {"variant": variant, "cpu_s": cpu_s, "wall_s": cpu_s, "peak_rss_growth_mib": peak, "rows": 2}


def test_ratios_by_hand_with_and_without_the_caching_pass(bench: ModuleType) -> None:
    rounds = [a_round("trl", 20.0, 400.0), a_round("plain", 10.0, 300.0), a_round("packed", 4.0, 100.0)]
    found = bench.ratios([*rounds, *rounds], {"flop_plain": 6.0, "flop_packed": 2.0}, 0.5)
    assert found["cpu_ratio_vs_trl"] == 5.0 and found["cpu_ratio_vs_plain"] == 2.5
    assert found["epoch_ratio_vs_trl"] == 20.0 / (4.0 + 2 * 0.5)
    assert found["memory_ratio_vs_trl"] == 0.25
    assert found["over_flop_promise"] == pytest.approx(3.0 / 2.5)


def test_the_table_says_what_is_compared_and_which_way_a_goal_goes(bench: ModuleType) -> None:
    rounds = [a_round("trl", 20.0, 400.0), a_round("plain", 10.0, 300.0), a_round("packed", 4.0, 100.0)]
    found = {"rounds": rounds, **bench.ratios(rounds, {"flop_plain": 6.0, "flop_packed": 2.0}, 0.5)}
    lines = {line.split()[0]: line for line in bench.table("x", found, goals=True).splitlines()[4:]}
    steps, epochs = list(lines)[:2]
    assert (steps, epochs) == ("cpu_ratio_vs_trl", "epoch_ratio_vs_trl")
    assert "goal at least 5; a step;" in lines[steps] and "caching pass counted" in lines[epochs]
    assert "goal at most 0.25" in lines["memory_ratio_vs_trl"]
    assert "goal" not in bench.table("x", found)
