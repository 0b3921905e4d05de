"""The counts of a data folder, as `blindpo stats` shows them."""

import json
from pathlib import Path

import pytest
from tests.sample import write_sample

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sample = write_sample(tmp_path / "sample")
    import_data("mmsafe-po", sample / "test.json", tmp_path / "data", images=sample / "images")
    return tmp_path / "data"


def test_stats_of_the_sample(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(data), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [shown[name] for name in ("rows", "with_history", "distinct_images", "dialogues")] == [12, 7, 11, 11]
    assert shown["entity_type"] == {"LOC": 5, "MISC": 3, "ORG": 2, "PER": 2} and shown["label"] == {"unknown": 12}
    assert main(["stats", str(data)]) == 0
    assert "LOC: 5, MISC: 3, ORG: 2, PER: 2" in capsys.readouterr().out
