"""What the paper reports of its data, for any data: the numbers are right."""

import json
from pathlib import Path

import pytest
from tests.sample import REAL, write_sample

from blindpo.datasets.formats.mmsafe_po import parse_turns
from blindpo.datasets.importer import import_data
from blindpo.errors import SourceError
from blindpo.intake.profile import PAPER_PROFILES, beside_the_paper, num_words, profile
from blindpo.rows.row import PreferenceRow, Provenance

STAGES = [
    {"stage": "read", "unit": "dialogues", "in": 40, "kept": 38, "out": 38, "rejected": {}},
    {"stage": "match", "unit": "mentions", "in": 38, "kept": 12, "out": 12, "rejected": {}},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    source = write_sample(tmp_path / "source")
    import_data("mmsafe-po", source / "test.json", tmp_path / "data", images=source / "images")
    return tmp_path / "data"


def row(prompt: str, chosen: str, rejected: str) -> PreferenceRow:
    came = Provenance(source="s", source_row_id="1", dialogue_id="1")
    turns = parse_turns(prompt, "question")
    return PreferenceRow(row_id="1", prompt=turns, chosen=chosen, rejected=rejected, provenance=came)


def test_words_are_counted_as_the_paper_counts_them() -> None:
    one = row("USER: a b ASSISTANT: c USER: <image>\nd e f ASSISTANT:", "g h", "i")
    assert num_words(one, whole=False) == len(["USER:", "<image>", "d", "e", "f", "ASSISTANT:"])
    assert num_words(one, whole=True) == 11 + len(["ASSISTANT:", "g", "h"]) + len(["ASSISTANT:", "i"])


def test_a_profile_holds_what_the_paper_reports(data: Path) -> None:
    measured = profile(data)
    assert measured.instructions == 12 and measured.responses == 24 and measured.before_filtering is None
    assert (
        sum(measured.turns.values()) == sum(measured.entity_types.values()) == sum(measured.categories.values()) == 12
    )
    assert {name for name, _, _ in beside_the_paper(measured)} >= {
        "tokens per instruction",
        "turns: 5 or more",
        "distinct images",
    }


def test_the_papers_own_figures_agree_with_one_another() -> None:
    train, test, both = PAPER_PROFILES
    assert train.instructions + test.instructions == both.instructions == sum(both.turns.values())
    assert train.responses == 2 * train.instructions and test.responses == 2 * test.instructions
    assert sum(both.entity_types.values()) == both.instructions
    assert both.share_with_history == round(1 - both.turns["1"] / both.instructions, 4)


def test_on_the_released_rows_the_papers_way_of_counting_gives_the_papers_figures(tmp_path: Path) -> None:
    if not REAL.is_dir():
        pytest.skip("the released rows are not beside the checkout")
    import_data("mmsafe-po", REAL / "test.json", tmp_path / "real", images=REAL / "images")
    measured = profile(tmp_path / "real")
    assert measured.tokens_per_conversation == pytest.approx(145.13, rel=0.05)
    assert measured.tokens_per_instruction == pytest.approx(23.52, rel=0.05)


def test_the_builds_funnel_is_read_and_a_broken_one_refused(data: Path) -> None:
    (data / "funnel.json").write_text(json.dumps({"funnel": STAGES}))
    measured = profile(data)
    assert measured.funnel == (("source", 40), ("read", 38), ("match", 12)) and measured.before_filtering == 40
    (data / "funnel.json").write_text('{"funnel": [{"stage": 1}]}')
    with pytest.raises(SourceError, match="not what 'blindpo build' writes"):
        profile(data)
