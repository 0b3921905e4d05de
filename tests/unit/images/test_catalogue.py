"""The offline source: what an index may hold, which candidate is taken, what is said of the others."""

import json
from pathlib import Path

import pytest
from tests.sample import draw

from blindpo.errors import ConfigError, SourceError
from blindpo.images.base import Candidate, Query, SourceConfig
from blindpo.images.catalogue import Catalogue, Entry, read_index, write_index
from blindpo.images.names import fold, name_key, same_name
from blindpo.images.table import make_sources


def takes_all(query: Query, candidate: Candidate) -> str | None:
    return None


def of_one_type(query: Query, candidate: Candidate) -> str | None:
    return None if query.type in (None, candidate.entity_type) else "another type"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("kite.jpg", "fruit.png", "firm.png"):
        (tmp_path / name).write_bytes(draw(name))
    entries = [
        Entry(name="Rock \u2019n\u2019 Roll", image="kite.jpg", aliases=("Rock_music",), licence="CC0", author="A"),
        Entry(name="Quince", image="fruit.png", type="MISC", plural=True, licence_url="https://example.org/by"),
        Entry(name="quince", image="firm.png", type="ORG", title="Quince (company)", free=True),
        Entry(name="Gone", image="nowhere.png"),
    ]
    write_index(tmp_path, entries)
    assert read_index(tmp_path) == entries
    return tmp_path


def test_names_are_compared_folded_and_keep_their_length() -> None:
    for text in ("Rock \u2019n\u2019 Roll", "\u0130stanbul", "STRASSE", "a\u00a0b\u2013c"):
        assert len(fold(text)) == len(text)
    assert same_name("Rock 'N' Roll", "rock_\u2019n\u2019  roll ") and not same_name("Paris", "Pari")
    assert name_key(" New_York  City ") == "new york city"


def test_answers_stand_in_the_order_asked_with_their_provenance(folder: Path) -> None:
    queries = [Query(text=text) for text in ("Nobody", "rock music", "QUINCE", "Gone")]
    nobody, rock, quince, gone = Catalogue(folder).look_up(queries, takes_all)
    assert [answer.query for answer in (nobody, rock, quince, gone)] == queries
    assert nobody.candidate is None and nobody.reason == "the catalogue has no such name" and not nobody.refused
    assert rock.candidate.image.data == draw("kite.jpg") and rock.candidate.image.file == "kite.jpg"
    assert (rock.candidate.image.licence, rock.candidate.image.author, rock.candidate.free) == ("CC0", "A", None)
    assert quince.candidate.details == {"licence_url": "https://example.org/by", "plural": "true"}
    assert gone.candidate is None and "cannot be read" in gone.reason and gone.refused[0].title == "Gone"


def test_the_first_candidate_that_is_accepted_is_taken_and_the_others_are_recorded(folder: Path) -> None:
    (answer,) = Catalogue(folder).look_up([Query(text="Quince", type="ORG")], of_one_type)
    assert answer.candidate.image.title == "Quince (company)" and answer.candidate.free
    assert [(r.title, r.reason, r.source) for r in answer.refused] == [("Quince", "another type", "catalogue")]
    (none,) = Catalogue(folder).look_up([Query(text="Quince", type="LOC")], of_one_type)
    assert none.candidate is None and none.reason == "another type" and len(none.refused) == 2


def test_identity_changes_with_the_index_and_with_an_image(folder: Path) -> None:
    before = Catalogue(folder).identity()
    assert Catalogue(folder).identity() == before
    (folder / "kite.jpg").write_bytes(draw("other"))
    changed = Catalogue(folder).identity()
    with (folder / "index.jsonl").open("a") as file:
        file.write(json.dumps({"name": "More", "image": "kite.jpg"}) + "\n")
    assert len({before, changed, Catalogue(folder).identity()}) == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"image": "a.png"}', "'name' is missing"),
        ('{"name": "a", "image": 7}', "'image' is missing or not text"),
        ('{"name": "a", "image": "../a.png"}', "leaves the catalogue"),
        ('{"name": "a", "image": "a.png", "typ": "PER"}', "unknown field 'typ'"),
        ('{"name": "a", "image": "a.png", "type": "GOD"}', "allowed: PER, LOC, ORG, MISC"),
        ('{"name": "a", "image": "a.png", "aliases": "b"}', "not a list of names"),
        ('{"name": "a", "image": "a.png", "free": "yes"}', "'free' must be true or false"),
        ('{"name": "a", "image": "a.png", "licence": 4}', "'licence' must be text"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "index.jsonl").write_text('{"name": "good", "image": "good.png"}\n' + line + "\n")
    with pytest.raises(SourceError, match="line 2") as caught:
        read_index(tmp_path)
    assert said in str(caught.value)


def test_a_folder_without_an_index_and_a_source_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"index\.jsonl"):
        make_sources(["catalogue"], SourceConfig(catalogue=str(tmp_path)))
    (tmp_path / "index.jsonl").write_text("\n")
    with pytest.raises(SourceError, match="empty"):
        make_sources(["catalogue"], SourceConfig(catalogue=str(tmp_path)))
    with pytest.raises(ConfigError, match="did you mean 'catalogue'"):
        make_sources(["catalog"], SourceConfig())
    with pytest.raises(ConfigError, match="catalogue=DIR"):
        make_sources(["catalogue"], SourceConfig())
