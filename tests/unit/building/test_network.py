"""A build with images from the wiki: rows with licences, and nothing lost when the wiki fails in the middle."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.fake_server import Asked, FakeServer, reply, serving
from tests.folder_bytes import contents
from tests.unit.building.worlds import dialogue, write_lines
from tests.unit.images.clients import image

from blindpo.cli.main import main
from blindpo.rows.shards import read_rows

CONTACT = "builder@example.org"
DIALOGUES = [
    dialogue("Please tell me, is Aldermoor pretty?"),
    dialogue("I wonder whether old Nowhere is far away."),
    dialogue("Could you say where Dalia Fenwick lives?", chosen="I do not know."),
    dialogue("They say that Halcyon Mark is known.", chosen="It is."),
    dialogue("My friend is at Ember Works.", rejected="Good."),
]
IMAGE = "/images/thumb/c/cb/Dalia_Fenwick.jpg/500px-Dalia_Fenwick.jpg"


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "hh" / "train.jsonl", DIALOGUES)


def build(wiki: FakeServer, lines: Path, out: Path, *words: str) -> int:
    return main(command(wiki, lines, out, *words))


def command(wiki: FakeServer, lines: Path, out: Path, *words: str) -> list[str]:
    settings = {
        "recognizers": "capitalised",
        "sources": "wikipedia",
        "contact": CONTACT,
        "wikipedia_api": f"{wiki.base}/api.php",
        "lookup_cache": str(lines.parent / "lookups.sqlite"),
        "requests_per_minute": "100000000",
    }
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["build", str(lines), "--out", str(out), *sets, *words, "--json", "--workers", "1"]


def test_rows_carry_images_with_licence_and_author(wiki: FakeServer, lines: Path, tmp_path: Path) -> None:
    assert build(wiki, lines, tmp_path / "data") == 0
    rows = {row.entity.text: row for row in read_rows(tmp_path / "data")}
    assert set(rows) == {"Aldermoor", "Dalia Fenwick", "Ember Works"}
    image = rows["Dalia Fenwick"].images[0]
    assert (image.title, image.licence, image.author) == ("Dalia Fenwick", "CC BY 4.0", "P. Ainter")
    assert rows["Dalia Fenwick"].entity.type == "PER", "the recogniser does not say, the page does"
    told = json.loads(rows["Aldermoor"].extra)["build"]["image"]
    assert told["source"] == "wikipedia" and told["file"] == "Aldermoor_market.jpg" and len(told["original_sha1"]) == 40
    with (tmp_path / "data" / "attributions.csv").open() as file:
        assert {line["licence_url"] for line in csv.DictReader(file)} == {"https://creativecommons.org/licenses/by/4.0"}
    rejects = (tmp_path / "data" / "rejects.jsonl").read_text()
    assert "the wiki has no page of this name" in rejects and "no free image" in rejects


def test_the_same_answers_give_the_same_bytes_and_no_file_says_who_built(
    wiki: FakeServer, lines: Path, tmp_path: Path
) -> None:
    assert build(wiki, lines, tmp_path / "one") == 0
    wiki.asked.clear()
    assert build(wiki, lines, tmp_path / "two", "--set", "contact=other@example.org") == 0
    assert wiki.asked == []
    files = contents(tmp_path / "one")
    assert files == contents(tmp_path / "two")
    assert not any(CONTACT.encode() in content for content in files.values())


def test_a_wiki_that_fails_in_the_middle_costs_nothing(
    wiki: FakeServer, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blindpo.images.fetch.backoff", lambda _attempt: 0.0)
    wiki.on(IMAGE, reply(status=503))
    assert build(wiki, lines, tmp_path / "data") == 1
    said = capsys.readouterr().err
    assert "1 of 5 entities got no answer" in said and "status 503" in said
    assert not (tmp_path / "data" / "manifest.json").exists()
    wiki.replies.clear()
    wiki.asked.clear()
    assert build(wiki, lines, tmp_path / "data") == 0
    assert wiki.paths() == [IMAGE], "the next run asks only for what is missing"
    assert build(wiki, lines, tmp_path / "again") == 0
    assert contents(tmp_path / "data") == contents(tmp_path / "again")


def test_a_build_that_is_killed_while_it_asks_goes_on_and_asks_for_the_rest_alone(
    wiki: FakeServer, lines: Path, tmp_path: Path
) -> None:
    """kill -9 in the middle of the images, three times; the bytes are those of a build that nobody stopped."""
    victims: list[subprocess.Popen[bytes]] = []

    def kill(_asked: Asked, _out: BinaryIO) -> None:
        victims[-1].kill()

    words = command(wiki, lines, tmp_path / "data")
    for path in ("/api.php", IMAGE, IMAGE):
        wiki.on(path, kill)
        victims.append(subprocess.Popen([sys.executable, "-m", "blindpo", *words], stderr=subprocess.DEVNULL))
        assert victims[-1].wait(60) == -9
        wiki.replies.clear()
    wiki.asked.clear()
    assert main(words) == 0
    assert IMAGE in wiki.paths() and "/api.php" not in wiki.paths() and len(wiki.asked) <= 3
    assert build(wiki, lines, tmp_path / "whole") == 0
    assert contents(tmp_path / "data") == contents(tmp_path / "whole")


def test_rows_can_go_on_without_what_is_not_answered(
    wiki: FakeServer, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blindpo.images.fetch.backoff", lambda _attempt: 0.0)
    wiki.on(IMAGE, reply(status=503))
    assert build(wiki, lines, tmp_path / "data") == 1  # stops, and says how to go on: with the same folder
    assert build(wiki, lines, tmp_path / "data", "--set", "unanswered=drop") == 0
    assert {row.entity.text for row in read_rows(tmp_path / "data")} == {"Aldermoor", "Ember Works"}
    assert "image-unanswered" in (tmp_path / "data" / "rejects.jsonl").read_text()


def test_what_one_source_does_not_have_the_next_is_asked_for(
    wiki: FakeServer, lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNOWLEDGE_GRAPH_API_KEY", "not-a-real-key")
    with serving() as graph:
        described = {
            "contentUrl": f"{graph.base}/images?q=tbn:nowhere",
            "license": "https://creativecommons.org/licenses/by/4.0/",
        }
        result = {"@id": "kg:/m/0", "name": "Nowhere", "@type": ["Place", "Thing"], "image": described}
        found = {"itemListElement": [{"resultScore": 500, "result": result}]}
        url = graph.on("/v1/entities:search", reply(json.dumps(found).encode(), kind="application/json"))
        graph.on("/images", reply(image("nowhere"), kind="image/png"))
        sets = ("--set", "sources=wikipedia,knowledge-graph", "--set", f"knowledge_graph_api={url}")
        assert build(wiki, lines, tmp_path / "data", *sets) == 0
        assert {asked.query.get("query") for asked in graph.asked} == {"Nowhere", "Halcyon Mark", None}
    rows = {row.entity.text: row for row in read_rows(tmp_path / "data")}
    assert set(rows) == {"Aldermoor", "Dalia Fenwick", "Ember Works", "Nowhere"}
    assert rows["Nowhere"].images[0].file == "tbn:nowhere" and rows["Nowhere"].entity.type == "LOC"
    told = json.loads(rows["Nowhere"].extra)["build"]["image"]
    assert told["source"] == "knowledge-graph" and told["score"] == 500
    assert not any(b"not-a-real-key" in content for content in contents(tmp_path / "data").values())
    assert b"not-a-real-key" not in (lines.parent / "lookups.sqlite").read_bytes()


def test_without_a_contact_nothing_is_asked(
    wiki: FakeServer, lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(wiki, lines, tmp_path / "data", "--set", "contact=") == 2
    assert "contact is missing" in capsys.readouterr().err and wiki.asked == []
    assert not (tmp_path / "data").exists()
