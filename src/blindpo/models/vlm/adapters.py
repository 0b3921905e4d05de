"""Choose what trains: everything but the vision tower (the paper's choice), or a LoRA adapter on the language model.

The projector brings an image's features into the language model's space, and is trained. Most families keep it beside
the tower; the Qwen-VL family and its relatives keep it inside, as `visual.merger` (Qwen3-VL with one more for each
deepstack layer), so there the tower is frozen without it.
"""

from typing import Any, Final

from blindpo.errors import ConfigError

_TOWERS: Final = ("vision_tower", "vision_model", "visual")
_PROJECTORS: Final = ("merger", "merger_list", "deepstack_merger_list")
"""Children of a tower that are the projector or a part of it."""


def vision_modules(model: Any) -> list[tuple[str, Any]]:
    """Return the model's outermost vision towers by name, including a projector inside them."""
    towers = [(name, module) for name, module in model.named_modules() if name.split(".")[-1] in _TOWERS]
    return [(n, m) for n, m in towers if not any(n.startswith(f"{other}.") for other, _ in towers)]


def freeze_vision(model: Any) -> int:
    """Freeze the vision towers except for a projector inside; returns the number of frozen parameters."""
    frozen = 0
    for _, tower in vision_modules(model):
        for name, parameter in tower.named_parameters():
            if name.split(".")[0] in _PROJECTORS:
                continue
            parameter.requires_grad_(False)
            frozen += parameter.numel()
    return frozen


def lora_modules(model: Any, targets: tuple[str, ...]) -> list[str]:
    """Return the full names of the modules that get an adapter. Raises ConfigError if there are none."""
    towers = tuple(name for name, _ in vision_modules(model))
    outside = [
        (name, module)
        for name, module in model.named_modules()
        if not any(name.startswith(f"{tower}.") for tower in towers)
    ]
    names = [name for name, _ in outside if name.split(".")[-1] in targets]
    if not names:
        linear = sorted({name.split(".")[-1] for name, module in outside if "Linear" in type(module).__name__})
        raise ConfigError(
            f"lora_targets {', '.join(targets)}: the model has no such module outside its vision tower; give some of: "
            f"{', '.join(linear)}"
        )
    return names


def add_lora(model: Any, *, r: int, alpha: float, dropout: float, targets: tuple[str, ...]) -> Any:
    """Wrap `model` by PEFT, with adapters on `targets` outside the vision towers (names repeat inside them).

    Raises ConfigError if the model has no module with these names.
    """
    from peft import LoraConfig, get_peft_model

    names = lora_modules(model, targets)
    config = LoraConfig(r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=names, bias="none")
    wrapped = get_peft_model(model, config)
    for chosen in wrapped.peft_config.values():
        if isinstance(chosen.target_modules, set):
            # PEFT saves a set in the order of its hashes: adapter_config.json would differ from process to process
            chosen.target_modules = sorted(chosen.target_modules)
    return wrapped
