"""Replies kept on disk; what a request and a chat model's settings may be."""

from pathlib import Path

import pytest

from blindpo.errors import OutputError, SourceError
from blindpo.models.chat.interface import TextReply
from blindpo.models.chat.replies import ReplyStore


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
