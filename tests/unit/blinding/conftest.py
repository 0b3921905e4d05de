"""The tiny LLaVA, saved once and loaded once for all tests of blinding, and five rows for it."""

from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_llava
from tests.unit.blinding.rows import row

from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.shards import write_shard


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llava(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def tiny_vlm(tiny_folder: Path) -> Vlm:
    return load_vlm(resolve_model(tiny_folder))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write_shard(folder / "rows-00000.parquet", [row(number) for number in range(5)])
    return folder
