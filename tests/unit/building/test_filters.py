"""Every rule matches what it names and nothing that is like it; reasons and flags reach the outcome."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.building.drafts import draft_of, turns_of

from blindpo.building.config import DEFAULT_FILTERS, BuildConfig
from blindpo.building.draft import Draft
from blindpo.building.filters import RULES, Filter, flag_counts, names_entity, names_part
from blindpo.building.funnel import code_of
from blindpo.building.rephrase import Template


def made(*texts: str, name: str = "Port Quill", **fields: Any) -> Draft:
    """A draft through the default template."""
    (draft,) = Template(BuildConfig())([draft_of(*texts, name=name, **fields)]).drafts
    return draft


def with_prompt(draft: Draft, *texts: str) -> Draft:
    turns = turns_of(*texts)
    last = replace(turns[-1], content=(*draft.row.prompt[0].content[:1], texts[-1]))
    return replace(draft, row=replace(draft.row, prompt=(*turns[:-1], last)))


GOOD = made("Is Port Quill old?")
CASES: dict[str, tuple[list[Draft], list[Draft]]] = {
    "unsound": (
        [made("Is Port Quill old?", rejected=" No."), made("Is Port Quill old?", chosen="  ")],
        [made("Is Port Quill old?", rejected="No!")],
    ),
    "duplicate-dialogue": ([GOOD.noted(duplicate=True)], [GOOD]),
    "role-marker": (
        [made("Is Port Quill old? USER: yes"), made("Is Port Quill old?", chosen="Human: no")],
        [made("Is the computer user: Port Quill?")],
    ),
    "over-long": ([made("Is Port Quill old?" + " or" * 2000)], [GOOD]),
    "short-entity": ([made("Is Te old?", name="Te")], [made("Is UK old?", name="UK"), GOOD]),
    "leak-question": (
        [with_prompt(GOOD, "Is PORT QUILL in the image?")],
        [with_prompt(GOOD, "Is Port Quillon in the image?"), with_prompt(GOOD, "Port Quill", "yes", "in the image?")],
    ),
    "leak-history": ([with_prompt(GOOD, "Port Quill", "yes", "in the image?")], [with_prompt(GOOD, "Port Quill?")]),
    "leak-part": ([with_prompt(GOOD, "Is Quill in the image?")], [with_prompt(GOOD, "Is the quilled in the image?")]),
    "leak-response": ([made("Is Port Quill old?", rejected="port quill is")], [GOOD]),
    "no-deictic": ([with_prompt(GOOD, "Is it old?")], [GOOD]),
    "not-rewritten": ([GOOD.noted(rephrase={"refused": ["empty: x"]})], [GOOD, GOOD.noted(rephrase={"by": "chat:x"})]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_matches_what_it_names(name: str) -> None:
    bad, good = CASES[name]
    config = BuildConfig(filters=(name,), flags=())
    kept = Filter(config)([*bad, *good])
    assert len(kept.rejects) == len(bad) and list(kept.drafts) == good
    assert {code_of(reject.reason) for reject in kept.rejects} == {name}
    assert all(reject.stage == "filter" and reject.field for reject in kept.rejects)
    marked = Filter(BuildConfig(filters=(), flags=(name,)))([*bad, *good])
    assert [draft.notes.get("flags") for draft in marked.drafts] == [[name]] * len(bad) + [None] * len(good)
    assert dict(flag_counts(marked.drafts)) == {name: len(bad)}


def test_every_rule_is_tested() -> None:
    assert set(CASES) | {"one-row-per-dialogue"} == set(RULES)
    assert set(DEFAULT_FILTERS) <= set(RULES)


def test_the_page_on_building_has_every_rule_with_its_reason() -> None:
    page = (Path(__file__).parents[3] / "docs" / "building.md").read_text()
    for name, make in RULES.items():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert make(BuildConfig()).reason in line


def test_the_pages_name_every_key() -> None:
    docs = Path(__file__).parents[3] / "docs"
    text = (docs / "building.md").read_text() + (docs / "images.md").read_text()
    for field in fields(BuildConfig):
        assert any(f"`{field.name}{end}" in text for end in "`=."), field.name


def test_one_row_per_dialogue_keeps_the_first_that_is_good() -> None:
    leaks = with_prompt(GOOD, "Port Quill?")
    other = made("Is Port Quill old?", row_id="r-2")
    outcome = Filter(BuildConfig(filters=("leak-question", "one-row-per-dialogue"), flags=()))(
        [leaks, GOOD, GOOD, other]
    )
    assert list(outcome.drafts) == [GOOD, other]
    assert [code_of(reject.reason) for reject in outcome.rejects] == ["leak-question", "one-row-per-dialogue"]


def test_names_and_parts() -> None:
    assert names_entity("in new\u00a0YORK", "New York") and not names_entity("in York", "New York")
    assert names_part("in York", "New York") and not names_part("of the city", "Bank of the West")
    assert not names_part("it is", "It")
