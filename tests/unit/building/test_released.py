"""Against the released rows, where they lie beside the checkout; else against the invented sample of the same layout.

The released rows must come out of the paper's template to the letter, the recognisers must find what the paper's tagger
found, and the filters must see the leaks that are known to be there.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.sample import REAL, SAMPLE
from tests.unit.building.drafts import row_of

from blindpo.building.config import BuildConfig
from blindpo.building.draft import Draft, Mention
from blindpo.building.entities import CapitalisedRecognizer, CatalogueRecognizer, Recognize, Recognizer
from blindpo.building.filters import Filter
from blindpo.building.rephrase import Template
from blindpo.datasets.formats.mmsafe_po import parse_turns, render_turns
from blindpo.images.base import Candidate
from blindpo.rows.row import Entity, ImageRef, PreferenceRow, Provenance

RELEASED = REAL / "test.json"


@pytest.fixture(params=["sample", "real"])
def released(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    if request.param == "real" and not RELEASED.is_file():
        pytest.skip("the released rows lie beside the checkout on some machines only")
    path: Path = SAMPLE if request.param == "sample" else RELEASED
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [row for row in rows if row.get("text_prompt") and row.get("mid_prompt")]


def draft(record: dict[str, Any], field: str) -> Draft:
    """The record as a draft whose turns are those of `field`."""
    turns = parse_turns(record[field], field)
    row = PreferenceRow(
        row_id=f"r-{record['id']}",
        prompt=turns,
        chosen=record["chosen"],
        rejected=record["rejected"],
        entity=Entity(text=record["entity"], type=record["entity_type"], replacement=record["replacement"]),
        provenance=Provenance(source="test", source_row_id=str(record["id"]), dialogue_id=str(record["id"])),
    )
    start = turns[-1].text.find(record["entity"])
    mention = Mention(start=start, end=start + len(record["entity"]), text=record["entity"])
    return Draft(row=row, mention=mention, candidate=Candidate(image=ImageRef(data=b"x"), source="test"))


def test_the_papers_template_gives_mid_prompt_to_the_letter(released: list[dict[str, Any]]) -> None:
    drafts = [draft(record, "text_prompt") for record in released]
    made = Template(BuildConfig(template="paper"))(drafts).drafts
    rendered = [render_turns(one.row.prompt) for one in made]
    expected = [record["mid_prompt"] for record in released]
    assert len(rendered) in (12, 154)
    assert sum(one == other for one, other in zip(rendered, expected, strict=True)) == len(rendered)


def recall(recognizer: Recognizer, released: list[dict[str, Any]]) -> float:
    """Share of rows whose entity is among the mentions, letter for letter."""
    rows = [row_of(parse_turns(r["text_prompt"], "x")[-1].text, row_id=str(n)) for n, r in enumerate(released)]
    found: dict[str, set[str]] = {}
    for one in Recognize([recognizer])(rows).drafts:
        found.setdefault(one.row.provenance.source_row_id, set()).add(one.mention.text)
    hits = [record["entity"] in found.get(str(n), set()) for n, record in enumerate(released)]
    return sum(hits) / len(hits)


def test_the_recognisers_find_what_the_papers_tagger_found(released: list[dict[str, Any]]) -> None:
    if len(released) < 154:
        assert recall(CatalogueRecognizer((r["entity"], r["entity_type"]) for r in released), released) >= 0.9
        return
    names = [(record["entity"], record["entity_type"]) for record in released]
    assert recall(CatalogueRecognizer(names), released) >= 0.92  # 144 of 154 is what word bounds allow
    assert recall(CapitalisedRecognizer(), released) >= 0.75


def test_the_leak_filters_see_the_names_that_are_still_there(released: list[dict[str, Any]]) -> None:
    config = BuildConfig(filters=("leak-question", "leak-history"), flags=())
    leaks = Filter(config)([draft(record, "question") for record in released]).rejects
    if len(released) == 154:
        assert len(leaks) == 48
    spotless = Filter(config)([draft({**r, "entity": "Zanzibarland"}, "question") for r in released])
    assert not spotless.rejects
