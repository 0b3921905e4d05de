"""Load any AutoModelForImageTextToText with its AutoProcessor: safetensors only, no remote code, images by PIL.

Local folders are loaded without network access; a hub model is loaded at the given revision. Image processors use the
PIL backend, so torchvision is needed only if a family's video processor demands it.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from blindpo.errors import ModelError
from blindpo.models.vlm import padding
from blindpo.models.vlm.quantized import prepared, quantization
from blindpo.models.vlm.source import ModelSource, fingerprint

DTYPES: Final = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Vlm:
    """A loaded model with its processor. `fingerprint` covers the files and the options that change answers."""

    model: Any
    processor: Any
    source: ModelSource | None
    fingerprint: str

    @property
    def pad_id(self) -> int:
        """The token that pads a batch; its value does not matter, since it is masked."""
        tokenizer = self.processor.tokenizer
        pad, eos = tokenizer.pad_token_id, tokenizer.eos_token_id
        return int(next((number for number in (pad, eos) if number is not None), 0))


def load_vlm(
    source: ModelSource, *, dtype: str = "float32", device: str | None = None,
    image_padding: str = "as_saved", load_in_4bit: bool = False,
) -> Vlm:  # fmt: skip
    """Load `source` in evaluation mode. Raises ModelError with what to do if that fails."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    if dtype not in DTYPES:
        raise ModelError(f"dtype {dtype!r} is unknown; one of {', '.join(DTYPES)}")
    where = source.base or source
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    options = hub_options(where)
    if load_in_4bit:  # quantized weights are placed as they are read: they cannot be moved
        options |= {**quantization(getattr(torch, dtype)), "device_map": {"": chosen}}
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            source_name(where), **options, dtype=getattr(torch, dtype), use_safetensors=True
        )
    except SafetensorError as error:
        raise _cut(source, error) from error
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"--model {source.given} cannot be loaded: {first_line(error)}") from error
    if load_in_4bit:
        model = prepared(model)
    if source.adapter is not None:
        model = _with_adapter(model, source)
    placed = model if load_in_4bit else model.to(chosen)
    processor = load_processor(source, image_padding=image_padding)
    return Vlm(placed.eval(), processor, source, _loaded_print(source, processor, image_padding, load_in_4bit))


def _cut(source: ModelSource, error: BaseException) -> ModelError:
    return ModelError(
        f"--model {source.given}: its weights are not whole ({first_line(error)}); download or save the model again"
    )


def _loaded_print(source: ModelSource, processor: Any, chosen: str, load_in_4bit: bool) -> str:
    """Return the files' fingerprint, changed by options that change the model's answers."""
    plain = fingerprint(source)
    changes = [f"image_padding={padding.image_padding(processor)}"] * (chosen != "as_saved") + ["4bit"] * load_in_4bit
    return sha256("\0".join([plain, *changes]).encode()).hexdigest() if changes else plain


def load_processor(source: ModelSource, *, image_padding: str = "as_saved") -> Any:
    """Load the processor alone (lengths and templates need no weights)."""
    holder = source
    if source.path is not None and source.base is not None and not (source.path / "tokenizer_config.json").is_file():
        holder = source.base
    try:
        processor = pil_processor(source_name(holder), **hub_options(holder))
    except (OSError, ValueError, KeyError, ImportError, AttributeError, TypeError) as error:
        # without torchvision, families with a video processor fail with an AttributeError about an unrelated name
        if "torchvision" in str(error).lower() or "VIDEO_PROCESSOR_MAPPING" in str(error):
            raise ModelError(
                f"--model {source.given}: the processor of this family needs torchvision; "
                "install it with: pip install 'blindpo[vision]'"
            ) from error
        raise ModelError(f"--model {source.given}: its processor cannot be loaded: {first_line(error)}") from error
    if getattr(processor, "tokenizer", None) is None or getattr(processor, "image_processor", None) is None:
        raise ModelError(f"--model {source.given} has no image processor; give a vision-language model")
    if getattr(processor, "chat_template", None) is None:
        raise ModelError(f"--model {source.given} has no chat template; save one with its processor")
    padding.set_image_padding(processor, image_padding)
    return processor


def pil_processor(name: str, **options: Any) -> Any:
    """Load the processor of `name` with images by PIL; raises what transformers raises.

    AutoProcessor would also request PIL for its video processor, which supports only torchvision: so the backend is set
    for the image processor alone.
    """
    from transformers import AutoImageProcessor, AutoProcessor

    processor = AutoProcessor.from_pretrained(name, **options)
    if getattr(processor, "image_processor", None) is not None:
        processor.image_processor = AutoImageProcessor.from_pretrained(name, **options, backend="pil")
    return processor


def source_name(source: ModelSource) -> str:
    """Return the name for transformers: the folder, or the hub id."""
    return str(source.path) if source.path is not None else str(source.hub_id)


def hub_options(source: ModelSource) -> dict[str, Any]:
    """Return loading options: the revision, no remote code, and no network access for a folder."""
    local = source.path is not None or os.environ.get("HF_HUB_OFFLINE") == "1"
    return {"revision": source.revision, "trust_remote_code": False, "local_files_only": local}


def _with_adapter(model: Any, source: ModelSource) -> Any:
    """Return `model` with its adapter, ready to answer, and to be trained further once the adapter is merged."""
    from peft import PeftModel
    from safetensors import SafetensorError

    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        wrapped = PeftModel.from_pretrained(model, str(source.adapter), is_trainable=False)
    except SafetensorError as error:
        raise _cut(source, error) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"--model {source.given}: its adapter does not fit: {first_line(error)}") from error
    for parameter in trainable:  # PEFT freezes the base, and merging the adapter would leave it frozen
        parameter.requires_grad_(True)
    return wrapped


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message; some libraries write pages."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
