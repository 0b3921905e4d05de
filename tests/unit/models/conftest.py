"""The tiny LLaVA, saved once and loaded once for all tests of models."""

from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava

from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import resolve_model


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_vlm(tiny_folder: Path) -> Vlm:
    return load_vlm(resolve_model(tiny_folder))
