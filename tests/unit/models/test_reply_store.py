"""Replies kept on disk; what a request and a chat model's settings may be."""

from pathlib import Path
from typing import Any

import pytest

from blindpo.errors import ConfigError, OutputError, SourceError
from blindpo.models.chat.config import ChatConfig, ServerConfig
from blindpo.models.chat.interface import TextReply, TextRequest
from blindpo.models.chat.replies import ReplyStore
from blindpo.rows.row import IMAGE, Turn


def test_a_line_cut_by_a_kill_costs_that_reply_alone(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    store = ReplyStore(path)
    store.put("a", TextReply(text="1"), raw="{}")
    store.put("b", TextReply(text="2"), raw="{}")
    store.close()
    path.write_bytes(path.read_bytes()[:-20])
    cut = ReplyStore(path)
    assert (cut.get("a"), cut.get("b")) == (TextReply(text="1"), None)
    cut.put("c", TextReply(text="3"), raw="{}")
    cut.close()
    again = ReplyStore(path)
    assert ("c" in again, "b" in again, len(again)) == (True, False, 2)
    assert again.get("c") == TextReply(text="3")


def test_two_stores_of_one_file_do_not_mix_up_each_others_replies(tmp_path: Path) -> None:
    first, second = ReplyStore(tmp_path / "replies.jsonl"), ReplyStore(tmp_path / "replies.jsonl")
    for number in range(20):
        for name, store in (("a", first), ("b", second)):
            store.put(f"{name}{number}", TextReply(text=f"{name} {number}" * number), raw="{}")
    assert all(first.get(f"a{n}") == TextReply(text=f"a {n}" * n) for n in range(20))
    assert all(second.get(f"b{n}") == TextReply(text=f"b {n}" * n) for n in range(20))
    assert len(ReplyStore(tmp_path / "replies.jsonl")) == 40


def test_a_store_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    with pytest.raises(SourceError, match="not a store of replies"):
        ReplyStore(tmp_path / "notes.txt")
    with pytest.raises(OutputError, match="cannot be opened"):
        ReplyStore(tmp_path)


@pytest.mark.parametrize(
    "named",
    [
        {"model": " "},
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"concurrency": 0},
        {"retries": -1},
        {"timeout_seconds": 0.0},
        {"give_up_after": 0},
        {"budget_tokens": 0},
    ],
)
def test_a_setting_out_of_range_is_named(named: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(named))):
        if next(iter(named)) in ServerConfig.__dataclass_fields__:
            ServerConfig(**named)
        else:
            ChatConfig(**{"model": "m", **named})


def test_a_request_must_fit_its_images() -> None:
    with pytest.raises(ValueError, match="1 image slots, and there are 0 images"):
        TextRequest(turns=(Turn(role="user", content=(IMAGE,)),))
    with pytest.raises(ValueError, match="needs at least one turn"):
        TextRequest(turns=())
