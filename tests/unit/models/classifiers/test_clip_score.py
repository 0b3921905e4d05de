"""A CLIP-like model scores image and name; what is none is refused by name."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from tests.tiny_models import save_tiny_clip, save_tiny_llava

from blindpo.errors import ModelError
from blindpo.models.classifiers.clip_score import CAPTION, ClipScore
from blindpo.models.vlm.source import resolve_model


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))


def test_the_score_is_the_cosine_of_the_two_towers(clip: Path) -> None:
    model = ClipScore(resolve_model(clip))
    picture = Image.linear_gradient("L").convert("RGB")
    scores = {name: model.score(picture, name) for name in ("Aldermoor", "Corvane", "x" * 500)}
    assert len(set(scores.values())) == 3 and all(-1 <= score <= 1 for score in scores.values())
    assert model.score(picture, "Corvane") == scores["Corvane"]
    assert model.score(Image.new("RGB", (40, 90), "red"), "Corvane") != scores["Corvane"]

    inputs = model._processor(
        text=[CAPTION.format(name="Corvane")], images=[picture], return_tensors="pt", padding=True
    )
    with torch.inference_mode():
        logits = model._model(**inputs).logits_per_image / model._model.logit_scale.exp()
    assert scores["Corvane"] == pytest.approx(float(logits[0, 0]), abs=1e-6)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_llava(tmp_path / "llava")
    with pytest.raises(ModelError, match=r"no image and text towers|no CLIP-like model"):
        ClipScore(resolve_model(folder))
