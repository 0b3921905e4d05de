"""One tiny model for all numeric tests of training."""

from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("models") / "base")
