"""Load base weights in 4 bits under an adapter (QLoRA, arXiv 2305.14314), with the optional bitsandbytes.

The language model's linear layers are stored as NF4 with double quantization and computed in bfloat16; the vision
tower, the projector and the head stay as they are. A missing requirement is named before the download.
"""

from importlib.util import find_spec
from typing import Any, Final

from blindpo.errors import ModelError

KEPT: Final = ("lm_head", "vision_tower", "vision_model", "visual", "multi_modal_projector", "connector")
"""Last names of the modules that are never quantized; names that a family does not have are ignored."""


def missing_for_4bit() -> str | None:
    """Return why weights cannot be loaded in 4 bits here, or None."""
    import torch

    if not torch.cuda.is_available():
        return "there is no CUDA device; load_in_4bit needs one (leave it out, or train with dtype=bfloat16)"
    if find_spec("bitsandbytes") is None:
        return "bitsandbytes is not installed; install it with: pip install 'blindpo[qlora]'"
    return None


def prepared(model: Any) -> Any:
    """Return the quantized model with its norms in float32, as PEFT trains it and as it must be scored."""
    from peft import prepare_model_for_kbit_training

    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)


def require_4bit() -> None:
    """Raise ModelError if weights cannot be loaded in 4 bits here."""
    reason = missing_for_4bit()
    if reason is not None:
        raise ModelError(f"load_in_4bit: {reason}")


def quantization(dtype: Any) -> dict[str, Any]:
    """Return the argument of `from_pretrained` that loads in 4 bits, computing in `dtype`. Raises ModelError."""
    require_4bit()
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=list(KEPT),
        )
    }
