"""Words from a model: what comes back is checked, asked again, or the template's text stands with the reasons."""

import json
from pathlib import Path

import pytest
from tests.fakes import FakeChatServer
from tests.tiny_models import save_tiny_llava
from tests.unit.building.drafts import draft_of
from tests.unit.building.scripted import Scripted
from tests.unit.building.worlds import DIALOGUES, write_catalogue, write_lines

from blindpo.building.categorise import read_taxonomy
from blindpo.building.config import BuildConfig
from blindpo.building.draft import Draft
from blindpo.building.rephrase import Template
from blindpo.building.rewrite import Rewrite, clean, fault
from blindpo.cli.main import main
from blindpo.errors import UnansweredError
from blindpo.models.chat.interface import TextReply
from blindpo.rows.row import IMAGE
from blindpo.rows.shards import read_rows

TEMPLATE = "Where is the region in the image and what can I do there?"


GOOD = "Where is the region in the image, and what can I do there?"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (GOOD, None),
        ("", "empty"),
        ("Sure, here it is: " + GOOD, "comment"),
        (GOOD + " ASSISTANT: there", "comment"),
        ("<image> " + GOOD, "comment"),
        ("I'm sorry, I cannot help with the image.", "refusal"),
        ("Where is Port Quill in the image and what can I do?", "names-entity"),
        ("Where is Quill in the image and what can I do?", "names-entity"),
        ("Where is that region and what can I do there?", "no-deictic"),
        (GOOD * 3, "length"),
        ("Where is the region in the image \u548c what can I do there?", "language"),
    ],
)
def test_what_may_stand_for_the_request(text: str, code: str | None) -> None:
    found = fault(text, TEMPLATE, "Port Quill")
    assert (found and found.partition(":")[0]) == code


def test_outer_quotes_go() -> None:
    assert clean(' "Is it?" ') == "Is it?" and clean('"Is" it "so"') == '"Is" it "so"' and clean("\u201ca\u201d") == "a"


def drafts() -> list[Draft]:
    given = [draft_of("Where is Port Quill?", name="Port Quill", row_id=f"r-{n}") for n in range(2)]
    return list(Template(BuildConfig())(given).drafts)


def test_a_text_that_passes_at_the_second_try() -> None:
    model = Scripted("Port Quill is nice", " Where is the place in the image? ")
    outcome = Rewrite(model, tries=3, stop_unanswered=True)(drafts())
    assert len(model.asked) == 4 and {request.draw for request in model.asked} == {0, 1}
    for before, after in zip(drafts(), outcome.drafts, strict=True):
        assert after.row.prompt[0].content == (IMAGE, "Where is the place in the image?")
        assert after.notes["rephrase"] == {
            "by": "chat:scripted", "answered": "m@1", "try": 2, "template": before.row.prompt[0].text,
        }  # fmt: skip


def test_the_templates_text_stands_with_the_reasons() -> None:
    no = TextReply(text=None, failure="a filter")
    outcome = Rewrite(Scripted("nothing to see", no), tries=2, stop_unanswered=True)(drafts())
    for before, after in zip(drafts(), outcome.drafts, strict=True):
        assert after.row.prompt == before.row.prompt
        told = after.notes["rephrase"]
        assert told["by"] == "template-default" and told["asked"] == "chat:scripted"
        assert [reason.partition(":")[0] for reason in told["refused"]] == ["no-deictic", "no-reply"]


def test_a_server_that_is_down_stops_or_is_done_without() -> None:
    down = Scripted(TextReply(text=None, failure="down", again=True))
    with pytest.raises(UnansweredError, match="run the same command again"):
        Rewrite(down, tries=2, stop_unanswered=True)(drafts())
    outcome = Rewrite(down, tries=1, stop_unanswered=False)(drafts())
    assert outcome.drafts[0].notes["rephrase"]["refused"] == ["no-reply: down"]


def test_a_local_model_that_writes_nonsense_leaves_the_templates_text(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "cat")
    write_lines(tmp_path / "train.jsonl", DIALOGUES[:2])
    model = save_tiny_llava(tmp_path / "model")
    words = [
        "build",
        str(tmp_path / "train.jsonl"),
        "--catalogue",
        str(tmp_path / "cat"),
        "--out",
        str(tmp_path / "data"),
    ]
    assert main([*words, "--set", f"rephrase='vlm:{model}'", "--set", "rewrites=1", "--workers", "2"]) == 0
    told = [json.loads(row.extra)["build"]["rephrase"] for row in read_rows(tmp_path / "data")]
    assert [(one["by"], one["asked"]) for one in told] == [("template-default", f"vlm:{model}")] * 2
    assert all(one["refused"] for one in told)


def test_a_build_asks_a_chat_server_and_asks_nothing_twice(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "cat")
    write_lines(tmp_path / "train.jsonl", DIALOGUES)
    answer = "Is it pretty, what the image shows?"
    with FakeChatServer(lambda body: "1" if "Which category" in str(body) else answer) as server:
        words = ["build", str(tmp_path / "train.jsonl"), "--catalogue", str(tmp_path / "cat"), "--workers", "2"]
        for key, value in {
            "rephrase": "chat:fake", "categorise": "chat:fake", "rewriter_server.base_url": server.base_url,
            "shard_dialogues": 2,
            "replies": tmp_path / "replies.jsonl",
        }.items():  # fmt: skip
            words += ["--set", f"{key}='{value}'"]
        assert main([*words, "--out", str(tmp_path / "data")]) == 0
        asked = len(server.requests)
        assert main([*words, "--out", str(tmp_path / "again")]) == 0
        assert asked and len(server.requests) == asked
        heat = {("Which category" in str(body), body["temperature"]) for body in server.requests}
        assert heat == {(True, 0.0), (False, 0.5)}
    rows = list(read_rows(tmp_path / "data"))
    assert rows == list(read_rows(tmp_path / "again"))
    assert {row.prompt[-1].text for row in rows} >= {answer}
    assert {row.categories for row in rows} == {read_taxonomy(BuildConfig().taxonomy_file)[0].levels}
