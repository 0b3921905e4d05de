"""What the paper reports of its data, for any data: the numbers are right, the figures the same bytes and mild."""

import json
import sys
from pathlib import Path

import pytest
from tests.sample import write_sample

from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.intake.figures import draw_figures
from blindpo.intake.profile import Profile

RINGS = {("Fraud", "Scams", "Phone scams"): 5, ("Fraud", "Scams"): 3, ("Fraud", "Tax"): 2, ("Bias",): 4, (): 6}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    source = write_sample(tmp_path / "source")
    import_data("mmsafe-po", source / "test.json", tmp_path / "data", images=source / "images")
    return tmp_path / "data"


def test_figures_are_the_same_bytes_and_hold_no_text_of_a_row(tmp_path: Path) -> None:
    measured = Profile(
        name="this data", instructions=20, responses=40, distinct_images=7, before_filtering=40,
        turns={"1": 10, "2": 6, "3": 2, "4": 1, "5 or more": 1}, entity_types={"people": 12, "unknown": 8},
        categories=RINGS, instruction_lengths=tuple(range(5, 25)), conversation_lengths=tuple(range(50, 90, 2)),
        funnel=(("source", 40), ("read", 38), ("match", 20)),
    )  # fmt: skip
    first, second = (draw_figures(measured, tmp_path / name) for name in "ab")
    names = ["categories", "conversation_tokens", "entity_types", "funnel", "instruction_tokens", "turns"]
    assert sorted(path.name for path in first) == sorted(
        [f"{n}.{k}" for n in names for k in ("png", "svg")] + ["figures.json"]
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    svg = (tmp_path / "a" / "categories.svg").read_text()
    assert "<script" not in svg and "<date>" not in svg
    content = json.loads((tmp_path / "a" / "figures.json").read_text())
    assert (
        content["this data"]["categories"]["Fraud / Scams"] == 3 and content["this data"]["categories"]["unknown"] == 6
    )


def test_the_command_draws_and_tells(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stats", str(data), "--figures", str(tmp_path / "figures"), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert "turns.svg" in content["figures"] and content["beside_the_paper"]["MMSafe-PO train"]["instructions"] == 5392
    assert not (tmp_path / "figures" / "funnel.svg").exists(), "nothing is drawn of what is not known"


def test_a_missing_library_and_a_folder_that_is_a_file_are_named(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    assert main(["stats", str(data), "--figures", str(tmp_path / "file")]) == 2
    assert "cannot be made" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["stats", str(data), "--figures", str(tmp_path / "figures")]) == 2
    assert "pip install 'blindpo[figures]'" in capsys.readouterr().err
