"""Adapters: laid over their base, and what trains beside them."""

import json
from pathlib import Path

import pytest
from tests.tiny_families import build, prompt

from blindpo.models.vlm.adapters import add_lora, freeze_vision, vision_modules
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model


def test_an_adapter_is_laid_over_its_base(tiny_folder: Path, tmp_path: Path) -> None:
    base = load_vlm(resolve_model(tiny_folder))
    wrapped = add_lora(base.model, r=2, alpha=4.0, dropout=0.0, targets=("q_proj", "v_proj"))
    names = [name for name, parameter in wrapped.named_parameters() if parameter.requires_grad]
    assert names
    assert not any("vision" in name for name in names)
    wrapped.save_pretrained(tmp_path)
    targets = json.loads((tmp_path / "adapter_config.json").read_text())["target_modules"]
    assert len(targets) > 1 and targets == sorted(targets), "the same file in every process"
    (tmp_path / "run.json").write_text(f'{{"base": "{tiny_folder}"}}')
    vlm = load_vlm(resolve_model(tmp_path))
    assert type(vlm.model).__name__.startswith("Peft")
    assert vlm.fingerprint != base.fingerprint


def test_only_the_vision_tower_is_frozen(tiny_folder: Path) -> None:
    model = load_vlm(resolve_model(tiny_folder)).model
    assert len(vision_modules(model)) == 1
    frozen = freeze_vision(model)
    assert frozen == sum(p.numel() for p in model.parameters() if not p.requires_grad) > 0
    assert all(p.requires_grad for name, p in model.named_parameters() if "projector" in name or "language" in name)


@pytest.mark.parametrize(
    ("family", "parts"),
    [
        ("Qwen2-VL", {"merger"}),
        ("Qwen2.5-VL", {"merger"}),
        ("Qwen3-VL", {"merger", "deepstack_merger_list"}),
    ],
)
def test_a_projector_inside_the_vision_tower_is_trained(family: str, parts: set[str]) -> None:
    model = build(family)
    frozen = freeze_vision(model)
    ((_, tower),) = vision_modules(model)
    trained = {name for name, p in tower.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in trained} == parts
    assert frozen == sum(p.numel() for name, p in tower.named_parameters() if name not in trained) > 0
    made = prompt(family, model, images=1)
    model(input_ids=made.input_ids[None], **made.extras).logits.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None and bool(parameter.grad.any())) == parameter.requires_grad, name
