"""What trains: everything but the vision tower (the paper's choice), or a LoRA adapter on the language model."""

from typing import Any, Final

_TOWERS: Final = ("vision_tower", "vision_model", "visual")


def vision_modules(model: Any) -> list[tuple[str, Any]]:
    """The model's vision towers by name, outermost only; the projector is not one of them."""
    found = [(name, module) for name, module in model.named_modules() if name.split(".")[-1] in _TOWERS]
    return [(n, m) for n, m in found if not any(n.startswith(f"{other}.") for other, _ in found)]


def freeze_vision(model: Any) -> int:
    """Freeze the vision towers; returns how many parameters that froze."""
    frozen = 0
    for _, module in vision_modules(model):
        for parameter in module.parameters():
            parameter.requires_grad_(False)
            frozen += parameter.numel()
    return frozen


def add_lora(model: Any, *, r: int, alpha: float, dropout: float, targets: tuple[str, ...]) -> Any:
    """`model` wrapped by PEFT, adapters on `targets` outside the vision towers (names repeat inside them)."""
    from peft import LoraConfig, get_peft_model

    towers = tuple(name for name, _ in vision_modules(model))
    names = [
        name
        for name, _ in model.named_modules()
        if name.split(".")[-1] in targets and not any(name.startswith(f"{tower}.") for tower in towers)
    ]
    config = LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=names, bias="none")
    return get_peft_model(model, config)
