"""What is ready before the first step: rows that can be used, and a model that may be an adapter's."""

from pathlib import Path

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

from blindpo.errors import ModelError, NothingKeptError
from blindpo.models.vlm.adapters import freeze_vision
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows") / "data", [row(n) for n in range(5)])


def test_rows_that_cannot_be_trained_on_are_rejected_with_the_reason(base: Path, tmp_path: Path) -> None:
    rows = [row(0), row(1, rejected=None), row(2, chosen="a " * 60), row(3, blind=())]
    data = write_rows(tmp_path / "data", rows)
    summary = run_training(base, data, tmp_path / "run", config={"max_length": 100}, max_steps=1)
    assert summary.counts == {"read": 4, "kept": 2, "rejected": 2, "without_blind": 1}
    rejects = (tmp_path / "run/rejects.jsonl").read_text()
    assert '"row_id": "row-1", "field": "rejected"' in rejects
    assert "longest response 121); allowed are 100" in rejects
    with pytest.raises(NothingKeptError, match="allowed are 10"):
        run_training(base, data, tmp_path / "none", config={"max_length": 10}, max_steps=1)


def test_an_adapter_run_is_trained_further_on_its_merged_weights(base: Path, data: Path, tmp_path: Path) -> None:
    lora = {"lora": True, "lora_r": 4}
    run_training(base, data, tmp_path / "lora", config=lora, max_steps=1)
    merged = load_vlm(resolve_model(tmp_path / "lora")).model.merge_and_unload().state_dict()
    run_training(tmp_path / "lora", data, tmp_path / "full", max_steps=1)
    after = load_vlm(resolve_model(tmp_path / "full")).model.state_dict()
    moved = {name for name, weight in after.items() if not torch.equal(weight, merged[name])}
    first = load_vlm(resolve_model(base)).model
    freeze_vision(first)
    assert moved == {name for name, parameter in first.named_parameters() if parameter.requires_grad}
    with pytest.raises(ModelError, match="leave lora out"):
        run_training(tmp_path / "lora", data, tmp_path / "second_lora", config=lora, max_steps=1)
