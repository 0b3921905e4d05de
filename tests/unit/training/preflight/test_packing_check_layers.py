"""Mamba and linear-attention layers: separate sequences, said aloud; found even where they hide their kind."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

import blindpo.training.preflight.packing_check as selfcheck
from blindpo.training.packing.families import Family

TEXT: dict[str, Any] = {
    "vocab_size": 260, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": 0,
}  # fmt: skip


def with_text_model(folder: Path, text: Any) -> Path:
    """The tiny LLaVA with another language model."""
    config = hf.AutoConfig.from_pretrained(save_tiny_llava(folder))
    config.text_config = text
    torch.manual_seed(0)
    hf.LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One Mamba layer, one attention layer."""
    text = hf.BambaConfig(
        **TEXT, attn_layer_indices=[1], mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_n_groups=1,
        mamba_chunk_size=8,
    )  # fmt: skip
    return with_text_model(tmp_path_factory.mktemp("models") / "hybrid", text)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", [row(0), row(1)])


def packing_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())["packing"]
    return found


def test_mamba_layers_are_trained_as_separate_sequences(
    hybrid: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    summary = run_training(hybrid, data, tmp_path / "run", max_steps=1)
    assert not summary.packed and summary.steps == 1
    assert "linear_attention, which no mask can keep apart" in packing_of(tmp_path / "run")["reason"]
    assert "ATTENTION: rows are NOT packed" in capfd.readouterr().err


def test_a_layer_that_hides_its_kind_is_found_by_the_check(
    hybrid: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfcheck, "family_of", lambda model: Family())
    assert not run_training(hybrid, data, tmp_path / "run", max_steps=1).packed
    assert packing_of(tmp_path / "run")["reason"]


@pytest.mark.slow
def test_linear_attention_is_trained_as_separate_sequences(data: Path, tmp_path: Path) -> None:
    text = hf.Qwen3NextConfig(
        **TEXT, head_dim=8, linear_num_value_heads=4, linear_num_key_heads=2, linear_key_head_dim=8,
        linear_value_head_dim=8, num_experts=0, layer_types=["linear_attention", "full_attention"],
    )  # fmt: skip
    base = with_text_model(tmp_path / "base", text)
    assert not run_training(base, data, tmp_path / "run", max_steps=1).packed
