"""Categories of requests, by rules and by a model."""

from pathlib import Path

import pytest
from tests.unit.building.drafts import draft_of
from tests.unit.building.scripted import Scripted

from blindpo.building.categorise import ByModel, ByRules, Category, read_taxonomy
from blindpo.building.config import BuildConfig
from blindpo.errors import ConfigError, SourceError, UnansweredError
from blindpo.models.chat.interface import TextReply

CATEGORIES = [
    Category(("A", "B", "c"), ("kite", "kites")),
    Category(("A", "D"), ("rain",)),
    Category(("E", "F", "g"), ()),
]


def test_rules_take_the_leaf_with_most_words_and_nothing_in_a_tie() -> None:
    texts = ["Kites of Eldoria, a kite in the rain", "a kite in the rain of Eldoria", "Eldoria", "kitesurf Eldoria"]
    made = ByRules(CATEGORIES)([draft_of(text, name="Eldoria") for text in texts]).drafts
    assert [draft.row.categories for draft in made] == [("A", "B", "c"), (), (), ()]
    assert made[0].notes["category"] == {"by": "rules"}


@pytest.mark.parametrize(
    ("reply", "categories", "note"),
    [
        ("2", ("A", "D"), None),
        (" 3. ", ("E", "F", "g"), None),
        ("0", (), "answer"),
        ("4", (), "failure"),
        ("Violence", (), "failure"),
        (TextReply(text=None, failure="a filter"), (), "failure"),
    ],
)
def test_a_models_number_is_a_category_and_anything_else_unknown(
    reply: str | TextReply, categories: tuple[str, ...], note: str | None
) -> None:
    model = Scripted(reply)
    (made,) = ByModel(model, CATEGORIES, stop_unanswered=True)([draft_of("Is Eldoria old?", name="Eldoria")]).drafts
    assert made.row.categories == categories and "2. A > D" in model.asked[0].turns[0].text
    assert note is None or note in made.notes["category"]


def test_a_judge_that_is_down_stops_the_run() -> None:
    down = Scripted(TextReply(text=None, failure="down", again=True))
    with pytest.raises(UnansweredError):
        ByModel(down, CATEGORIES, stop_unanswered=True)([draft_of("Is Eldoria old?", name="Eldoria")])


def test_the_taxonomy_of_the_package_and_bad_ones(tmp_path: Path) -> None:
    known = read_taxonomy(BuildConfig().taxonomy_file)
    assert len({category.levels[0] for category in known}) == 6 and len({c.levels[:2] for c in known}) == 16
    assert sum(len(category.levels) == 3 for category in known) >= 35
    with pytest.raises(SourceError, match="cannot be read"):
        read_taxonomy(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [b]")
    with pytest.raises(ConfigError, match="level one"):
        read_taxonomy(tmp_path / "bad.yaml")
