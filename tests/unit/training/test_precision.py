"""A reference is computed as the policy will be: under autocast, or with weights that DeepSpeed casts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row, run_training, write_rows

from blindpo.jobs.folder import OutFolder
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.arguments import make_arguments
from blindpo.training.collator import Collator
from blindpo.training.config import TrainConfig
from blindpo.training.examples import ImageTensors, make_example
from blindpo.training.reference import frozen_copy, with_references
from blindpo.training.trainer import PreferenceTrainer


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")


def test_under_deepspeed_the_reference_has_weights_in_half_precision_and_gives_them_back(
    base: Path, tmp_path: Path
) -> None:
    start = load_vlm(resolve_model(base), device="cpu")
    before = {name: value.clone() for name, value in start.model.state_dict().items()}
    images = ImageTensors(start.processor)
    collator = Collator(images, pad_id=start.pad_id)
    sets = {"train": [make_example(row(n), images, use_blind=True, max_length=None) for n in range(2)]}
    found = {}
    for name, plugin in (("autocast", None), ("deepspeed", object())):
        settings = make_arguments({"bf16": True, "use_cpu": True, "disable_tqdm": True}, tmp_path, has_eval=False)
        settings.deepspeed_plugin = plugin
        folder = OutFolder(tmp_path / name, {"test": name})
        folder.begin()
        made = with_references(sets, start, collator, config=TrainConfig(), settings=settings, folder=folder)
        found[name] = [example.reference for example in made["train"]]
        online = frozen_copy(start.model, settings)
        assert online.dtype == (torch.float32 if plugin is None else torch.bfloat16)
    for name, value in start.model.state_dict().items():
        assert value.dtype == before[name].dtype and torch.equal(value, before[name]), name
    with torch.no_grad():
        wanted = [
            tuple(collator.logps(online, collator.scored([(each, each.responses)])).tolist()) for each in sets["train"]
        ]
    assert found["deepspeed"] == [pytest.approx(values, abs=1e-5) for values in wanted]
    assert found["deepspeed"] != found["autocast"]


def test_a_reference_keeps_its_digits_where_deepspeed_casts_all_floats() -> None:
    trainer: Any = PreferenceTrainer.__new__(PreferenceTrainer)
    trainer.args, trainer.is_deepspeed_enabled = SimpleNamespace(device=torch.device("cpu")), True
    plugin = SimpleNamespace(hf_ds_config=SimpleNamespace(dtype=lambda: torch.bfloat16))
    trainer.accelerator = SimpleNamespace(state=SimpleNamespace(deepspeed_plugin=plugin))
    batch = {"pixel_values": torch.ones(1), "reference_S": torch.tensor([-123.456], dtype=torch.float64)}
    made = trainer._prepare_inputs(batch)
    assert made["pixel_values"].dtype == torch.bfloat16
    assert made["reference_S"].tolist() == [-123.456]


def test_a_policy_that_is_not_its_reference_before_the_first_step_is_warned_of(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_rows(tmp_path / "data", [row(n) for n in range(4)])
    options = {"bf16": True, "max_steps": 1, "disable_tqdm": False}
    run_training(base, data, tmp_path / "right", **options)
    assert "where it must be 0" not in capsys.readouterr().err
    whole = PreferenceTrainer._reference
    monkeypatch.setattr(PreferenceTrainer, "_reference", lambda self, *given: whole(self, *given) - 1.0)
    run_training(base, data, tmp_path / "wrong", **options)
    said = capsys.readouterr().err
    assert "WARNING: before the first step the mean of rewards/" in said and "is +0.100 where it must be 0" in said
