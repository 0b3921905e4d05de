"""The GPU bench at a size that any CPU takes, and its table, in which what nobody ran is listed as unmeasured."""

import importlib
import json
import sys
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers.utils import is_torchvision_available

Bench = tuple[ModuleType, ModuleType, ModuleType]
MODULES = ("models", "table", "steps", "processors", "against_trl")
BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.syspath_prepend(str(BENCH / "gpu"))
    for name in (*MODULES, "flops"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = tuple(importlib.import_module(name) for name in ("steps", "table", "against_trl"))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    return found


@pytest.mark.parametrize(
    "case",
    [
        "LLaVA-1.5-7B/full/no-checkpointing/packed",
        "Qwen2.5-VL-7B/LoRA/checkpointing/packed",
        "LLaVA-1.5-7B/full/no-checkpointing/trl",
        "LLaVA-1.5-7B/LoRA/no-checkpointing/trl",
        "Qwen2.5-VL-7B/LoRA/no-checkpointing/4-rows/packed",
        "LLaVA-1.5-7B/LoRA/no-checkpointing/4-rows/trl",
    ],
)
def test_a_tiny_case_trains_and_gives_all_measures(case: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, table, _ = bench
    monkeypatch.setattr(steps, "ROWS", max(2, steps.CASES[case].rows))
    monkeypatch.setattr(steps, "STEPS", 1)
    found = steps.run_case(steps.CASES[case], device="cpu", tiny=True)
    assert found["case"] == case and found["peak_gib"] is None
    for name in ("tokens_per_second", "rows_per_second", "flops_per_second"):
        assert found[name] > 0
    assert "| -" in table.line({**found, "device": "CPU"}, "-")


def test_trl_is_given_the_tokens_that_our_trainer_is_given(bench: Bench) -> None:
    steps, _, trl = bench
    kind = steps.kinds(tiny=True)["LLaVA-1.5-7B"]
    example = steps.examples(kind, 1, steps.Pictures())[0]
    collate = trl.trl_collator(trl.processor_for(kind))
    batch = collate(trl.pair_rows(kind, [example]))
    prompt = example.prompt.input_ids.tolist()
    given = [ids[mask.bool()].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    responses = (example.chosen, example.chosen, *example.rejected, *example.blind)
    assert given == [[*prompt, *response] for response in responses]
    assert batch["completion_mask"].sum(1).tolist() == [len(response) for response in responses]
    assert batch["pixel_values"].shape == (4, *kind.picture()[0]["pixel_values"].shape[1:])
    assert trl.trl_work([example]) == (sum(map(len, given)), 4 * max(map(len, given)) ** 2)
    again = collate(trl.pair_rows(kind, [example]))
    assert again is not batch and again["pixel_values"] is batch["pixel_values"]


def test_qwen_has_the_same_tokens_or_the_reason_why_not(bench: Bench) -> None:
    steps, _, trl = bench
    kind = steps.kinds(tiny=True)["Qwen2.5-VL-7B"]
    example = steps.examples(kind, 1, steps.Pictures())[0]
    if not is_torchvision_available():
        with pytest.raises(SystemExit, match=r"^no processor: .*requires the Torchvision library"):
            trl.processor_for(kind)
        return
    batch = trl.trl_collator(trl.processor_for(kind))(trl.pair_rows(kind, [example]))
    prompt = example.prompt.input_ids.tolist()
    assert batch["input_ids"][0, : len(prompt)].tolist() == prompt
    assert torch.equal(batch["image_grid_thw"], kind.picture()[0]["image_grid_thw"].repeat(4, 1))


def test_a_run_that_ended_early_goes_on_with_what_has_no_result(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps, table, _ = bench
    for module in (steps, table):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(table, "TABLE", tmp_path / "RESULTS.md")
    first, second, third = list(steps.CASES)[:3]
    monkeypatch.setattr(steps, "CASES", {name: steps.CASES[name] for name in (first, second, third)})
    asked: list[str] = []
    broken: set[str] = set()

    def run(words: list[str], **_: Any) -> CompletedProcess[str]:
        case = words[words.index("--case") + 1]
        asked.append(case)
        if case == third and third in broken:
            raise KeyboardInterrupt
        if case in broken:
            return CompletedProcess(words, 1, "", "torch.OutOfMemoryError: CUDA out of memory")
        rates = dict.fromkeys(("tokens_per_second", "rows_per_second", "flops_per_second"), 2.0)
        return CompletedProcess(words, 0, "a log line\n" + json.dumps({"case": case, **rates, "peak_gib": None}), "")

    monkeypatch.setattr(steps.subprocess, "run", run)
    broken |= {second, third}
    with pytest.raises(KeyboardInterrupt):
        steps.run_all(list(steps.CASES), "cpu", tiny=False, again=False)
    assert f"| {second} | CPU | out of memory |" in table.TABLE.read_text()
    broken.clear()
    asked.clear()
    steps.run_all(list(steps.CASES), "cpu", tiny=False, again=False)
    assert asked == [second, third]
    assert f"| {first} | CPU | 2.00 | 1.00 | 2 |" in table.TABLE.read_text()
    steps.run_all(list(steps.CASES), "cpu", tiny=False, again=True)
    assert asked == [second, third, first, second, third]
    assert len(json.loads(table.RESULTS.read_text())) == 3


def test_only_chooses_cases_by_a_part_of_their_names(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps, *_ = bench
    words = [
        "steps.py",
        "--list",
        "--only",
        "Qwen2.5-VL-7B/LoRA/no-checkpointing/4",
        "--only",
        "full/checkpointing/trl",
    ]
    monkeypatch.setattr(sys, "argv", words)
    steps.main()
    assert capsys.readouterr().out.splitlines() == [
        *(f"Qwen2.5-VL-7B/LoRA/no-checkpointing/4-rows/{variant}" for variant in steps.VARIANTS),
        "LLaVA-1.5-7B/full/checkpointing/trl",
        "Qwen2.5-VL-7B/full/checkpointing/trl",
    ]
    monkeypatch.setattr(sys, "argv", ["steps.py", "--only", "LoRa"])
    with pytest.raises(SystemExit, match=r"^--only LoRa: no case has such a name; --list names them$"):
        steps.main()


def test_it_stops_without_a_gpu_and_where_several_are_visible(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, *_ = bench
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert steps.why_not("cpu") == "" and "no CUDA device" in steps.why_not("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for number, said in ((1, ""), (2, "2 GPUs are visible: let this process see one of them, and start again")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda number=number: number)
        assert steps.why_not("cuda") == said


@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (1, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "out of memory"),
        (1, "  warn(\nno processor: it requires A\n", "no processor: it requires A"),
        (1, "Traceback\nValueError: no a|b in /some/folder/x.py\n  cleaned up\n", "ValueError: no a/b in PATH"),
        (-9, "Loading\n", "ended by signal 9"),
        (3, "", "exit status 3"),
    ],
)
def test_a_case_that_failed_says_why_in_one_line(status: int, stderr: str, reason: str, bench: Bench) -> None:
    steps, *_ = bench
    assert steps.why(CompletedProcess([], status, "", stderr)) == reason


def test_attention_costs_the_same_where_its_weights_do_not_train(bench: Bench) -> None:
    steps, *_ = bench
    assert steps.own_flops(30.0, 10.0, trains_weights=True) == 300.0
    assert steps.own_flops(30.0, 10.0, trains_weights=False) == 240.0


def test_the_committed_table_lists_every_case_measured_or_not(bench: Bench) -> None:
    steps, table, _ = bench
    assert len(steps.CASES) == 36
    text = table.TABLE.read_text()
    for case in steps.CASES:
        assert f"| {case} |" in text
    known: list[dict[str, Any]] = [
        {"case": case, "device": device, "rows_per_second": rows, "tokens_per_second": 1500.0,
         "flops_per_second": 494.5e12, "peak_gib": 40.25}
        for case, device, rows in (("a/packed", "H100", 2.0), ("a/trl", "H100", 0.5), ("b/packed", "H100", 2.0),
                                   ("c/packed", "H100", 2.0), ("c/trl", "H200", 0.5))
    ]  # fmt: skip
    known += [{"case": case, "device": "H100", "failed": "out of memory"} for case in ("b/trl", "d/packed")]
    assert table.table_lines(["a/packed", "a/trl", "b/packed", "b/trl", "c/packed", "d/packed"], known) == [
        "| a/packed | H100 | 2.00 | 4.00 | 1,500 | 50% | 40.2 |",
        "| a/trl | H100 | 0.50 | - | 1,500 | 50% | 40.2 |",
        "| b/packed | H100 | 2.00 | TRL: out of memory | 1,500 | 50% | 40.2 |",
        "| b/trl | H100 | out of memory | - | - | - | - |",
        "| c/packed | H100 | 2.00 | unmeasured | 1,500 | 50% | 40.2 |",
        "| d/packed | H100 | out of memory | - | - | - | - |",
    ]
    assert table.table_lines(["e/packed", "e/trl"], known) == [
        "| e/packed | - | unmeasured | unmeasured | unmeasured | unmeasured | unmeasured |",
        "| e/trl | - | unmeasured | - | unmeasured | unmeasured | unmeasured |",
    ]
