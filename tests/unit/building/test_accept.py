"""An image stands for an entity only when nothing speaks against it, and for one title alone."""

from pathlib import Path

import pytest
from tests.tiny_models import save_tiny_clip
from tests.unit.images.clients import image

from blindpo.building.accept import acceptance
from blindpo.building.config import BuildConfig
from blindpo.errors import ConfigError
from blindpo.images.base import Candidate, Query
from blindpo.rows.row import ImageRef

PARIS = Query(text="Aldermoor", type="LOC")


def candidate(name: str = "one", *, title: str | None = None, side: int = 80, **fields: object) -> Candidate:
    return Candidate(image=ImageRef(data=image(name, side), title=title), source="s", **fields)


@pytest.mark.parametrize(
    ("settings", "offered", "code"),
    [
        ({}, candidate(), None),
        ({}, candidate(entity_type="PER"), "image-type"),
        ({}, candidate(free=False), "image-nonfree"),
        ({"free_only": False}, candidate(free=False), None),
        ({}, candidate(side=63), "image-small"),
        ({"min_image_px": 20}, candidate(side=63), None),
        ({}, Candidate(image=ImageRef(data=b"<html>"), source="s"), "image-undecodable"),
    ],
)
def test_each_check_has_its_reason(settings: dict[str, object], offered: Candidate, code: str | None) -> None:
    reason = acceptance(BuildConfig(**settings))(PARIS, offered)
    assert reason is None if code is None else str(reason).startswith(f"{code}: ")


def test_one_image_stands_for_one_title_under_any_of_its_names() -> None:
    accept = acceptance(BuildConfig())
    assert accept(PARIS, candidate(title="Aldermoor")) is None
    assert accept(Query(text="Old Aldermoor"), candidate(title="aldermoor")) is None
    reason = accept(Query(text="Corvane"), candidate(title="Corvane"))
    assert str(reason).startswith("image-duplicate: ")
    assert accept(Query(text="Corvane"), candidate("two", title="Corvane")) is None
    assert acceptance(BuildConfig(near_duplicates="allow"))(Query(text="Corvane"), candidate(title="x")) is None


def test_a_clip_like_model_has_a_say_where_the_recipe_names_one(tmp_path: Path) -> None:
    name = f"hf:{save_tiny_clip(tmp_path / 'clip')}"
    assert acceptance(BuildConfig(agreement=name, min_agreement=-1.0))(PARIS, candidate()) is None
    reason = acceptance(BuildConfig(agreement=name, min_agreement=1.0))(PARIS, candidate())
    assert str(reason).startswith("image-disagrees: image and name agree by ") and "needed are 1" in str(reason)
    with pytest.raises(ConfigError, match="hf:MODEL"):
        BuildConfig(agreement="clip")
