"""Score the agreement of image and name by any CLIP-like model (CLIP, SigLIP, ...): the cosine of their embeddings.

https://arxiv.org/abs/2103.00020. Optional: the score's scale is the model's own, so a threshold holds for one model
only and is recorded with the build. Loaded from a folder or a pinned hub id, safetensors only, images by PIL.
"""

from typing import Any, Final

from PIL import Image

from blindpo.errors import ModelError
from blindpo.models.vlm.load import pil_processor
from blindpo.models.vlm.source import ModelSource

CAPTION: Final = "a photo of {name}"
"""CLIP's own zero-shot prompt."""


class ClipScore:
    """A loaded two-tower model. Raises ModelError if `source` holds no such model."""

    def __init__(self, source: ModelSource) -> None:
        # torch and transformers are heavy; only a recipe that names such a model loads them
        from transformers import AutoModel

        name = source.hub_id or str(source.path)
        try:
            model = AutoModel.from_pretrained(
                name, revision=source.revision, use_safetensors=True, trust_remote_code=False
            )
            self._processor: Any = pil_processor(name, revision=source.revision)
        except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"hf:{source.given} is no CLIP-like model that loads ({reason})") from error
        if not hasattr(model, "get_image_features") or not hasattr(model, "get_text_features"):
            raise ModelError(f"hf:{source.given} has no image and text towers; name a CLIP-like model")
        self._model: Any = model.eval()

    def score(self, image: Image.Image, name: str) -> float:
        """Return the cosine, from -1 to 1, between the RGB `image` and a caption with `name`."""
        import torch

        inputs = self._processor(
            text=[CAPTION.format(name=name)], images=[image], return_tensors="pt", padding=True, truncation=True
        )
        with torch.inference_mode():
            outputs = self._model(**inputs)
            cosine = torch.nn.functional.cosine_similarity(outputs.image_embeds.float(), outputs.text_embeds.float())
        return float(cosine[0])
