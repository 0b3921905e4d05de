"""The GPU bench at a size that any CPU takes, and its table, in which what nobody ran is listed as unmeasured."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(BENCH / "gpu"))
    for name in ("models", "table", "steps", "flops"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = importlib.import_module("steps"), importlib.import_module("table")
    for name in ("models", "table", "steps"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return found


@pytest.mark.parametrize(
    "case", ["LLaVA-1.5-7B/full/no-checkpointing/packed", "Qwen2.5-VL-7B/LoRA/checkpointing/packed"]
)
def test_a_tiny_case_trains_and_gives_all_measures(case: str, bench: tuple[ModuleType, ModuleType]) -> None:
    steps, table = bench
    found = steps.run_case(steps.CASES[case], device="cpu", tiny=True)
    assert found["case"] == case and found["peak_gib"] is None
    for name in ("tokens_per_second", "rows_per_second", "flops_per_second"):
        assert found[name] > 0
    assert "| -" in table.line({**found, "device": "CPU"})


def test_attention_costs_the_same_where_its_weights_do_not_train(bench: tuple[ModuleType, ModuleType]) -> None:
    steps, _ = bench
    assert steps.own_flops(30.0, 10.0, trains_weights=True) == 300.0
    assert steps.own_flops(30.0, 10.0, trains_weights=False) == 240.0


def test_the_committed_table_lists_every_case_measured_or_not(bench: tuple[ModuleType, ModuleType]) -> None:
    steps, table = bench
    assert len(steps.CASES) == 16
    text = table.TABLE.read_text()
    for case in steps.CASES:
        assert f"| {case} |" in text
    measured = {"case": "a", "device": "NVIDIA H100 80GB", "rows_per_second": 2.0, "tokens_per_second": 1500.0,
                "flops_per_second": 494.5e12, "peak_gib": 40.25}  # fmt: skip
    failed = {"case": "b", "device": "NVIDIA H100 80GB", "failed": "out of memory"}
    assert table.table_lines(["a", "b", "c"], [measured, failed]) == [
        "| a | NVIDIA H100 80GB | 2.00 | 1,500 | 50% | 40.2 |",
        "| b | NVIDIA H100 80GB | out of memory | - | - | - |",
        "| c | - | unmeasured | unmeasured | unmeasured | unmeasured |",
    ]
