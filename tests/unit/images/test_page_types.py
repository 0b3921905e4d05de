"""What a page says that it is about."""

import pytest

from blindpo.images.page_types import page_type


@pytest.mark.parametrize(
    ("title", "description", "categories", "kind"),
    [
        ("Aldermoor", "Town in Corvane", [], "LOC"),
        ("Corvane", None, ["Countries in Europe", "States and territories established in 1904"], "LOC"),
        ("Dalia Fenwick", "Corvanian painter (born 1961)", ["Living people"], "PER"),
        ("Dalia Fenwick", None, ["1961 births", "People from Aldermoor"], "PER"),
        ("Ember Works", "Corvanian manufacturer of lamps", [], "ORG"),
        ("Quillfox", None, ["Mammals of Corvane"], None),
        ("Quillfox (company)", None, [], "ORG"),
        ("Quillfox (film)", "Film about the city of Corvane", [], "MISC"),
        ("Ember (band)", None, ["Living people"], "ORG"),
        ("Mixed", None, ["Living people", "Companies based in Corvane"], None),
        ("Plain", "", [], None),
        ("Quill", "General-purpose programming language", [], None),
        ("Ice", "State of matter", [], None),
        ("Seafriends", "Environmental activist group", [], None),
        ("Seafriends", "Non-profit organisation", [], "ORG"),
        ("Fenwick", "General of the Corvanian army", [], "PER"),
        ("Corvane", "Country in the north of Fiction", [], "LOC"),
    ],
)
def test_a_page_says_what_it_is_about(title: str, description: str | None, categories: list[str], kind: str) -> None:
    assert page_type(title, description, categories) == kind
