"""Engines of one process: checkpointing changes no weight, and bf16 computes over float32 weights that move."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training_rows import row, run_training, write_rows
from tests.two_processes import weights_of
from transformers.models.llama.modeling_llama import LlamaAttention


@pytest.mark.parametrize("config", [{}, {"lora": True, "lora_r": 4}], ids=["full", "lora"])
def test_checkpointing_computes_again_and_changes_no_weight(
    base: Path, tmp_path: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(4)])
    calls: Counter[str] = Counter()
    whole = LlamaAttention.forward  # of a layer's part: transformers wraps the layers' own forward
    for name, checkpointing in (("kept", False), ("again", True)):

        def counted(self: Any, *given: Any, name: str = name, **named: Any) -> Any:
            calls[name] += torch.is_grad_enabled()
            return whole(self, *given, **named)

        monkeypatch.setattr(LlamaAttention, "forward", counted)
        run_training(base, data, tmp_path / name, config=config, gradient_checkpointing=checkpointing)
    assert calls["again"] == 2 * calls["kept"] > 0
    assert (tmp_path / "kept/metrics.jsonl").read_bytes() == (tmp_path / "again/metrics.jsonl").read_bytes()
    kept, again = weights_of(tmp_path / "kept"), weights_of(tmp_path / "again")
    assert kept.keys() == again.keys()
    for name, weight in kept.items():
        assert torch.allclose(weight, again[name], atol=1e-6), name


def test_a_bfloat16_base_trains_a_float32_adapter(base: Path, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(4)])
    config = {"lora": True, "lora_r": 4, "dtype": "bfloat16"}
    run_training(base, data, tmp_path / "run", config=config, bf16=True, learning_rate=1e-6)
    adapter = weights_of(tmp_path / "run")
    assert {weight.dtype for weight in adapter.values()} == {torch.float32}
    moved = [float(weight.abs().max()) for name, weight in adapter.items() if "lora_B" in name]
    assert moved and all(0 < largest < 1e-5 for largest in moved)  # they begin at zero
