"""One record of a response: stored with the fields that an evaluation has always stored, read back as it was."""

import json
from pathlib import Path

import pytest

from blindpo.answer.response import Response, json_lines, read_responses
from blindpo.errors import SourceError


def test_what_only_counts_while_a_shard_is_made_is_not_stored(tmp_path: Path) -> None:
    response = Response(row_id="a", view="as_is", text="a ball", num_tokens=3, redraws=1, draw=2, revision="v1")
    line = json_lines([response])
    assert list(json.loads(line)) == [
        "row_id", "view", "text", "cut", "reason", "chosen_logp_per_token", "rejected_logp_per_token"
    ]  # fmt: skip
    thoughtful = Response(row_id="b", view="text", text=None, reason="blank response", thought="hm")
    assert json.loads(json_lines([thoughtful]))["thought"] == "hm"
    path = tmp_path / "responses.jsonl"
    path.write_text(line + json_lines([thoughtful]))
    assert read_responses(path) == [Response(row_id="a", view="as_is", text="a ball"), thoughtful]


def test_a_line_with_other_fields_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text('{"row_id": "a", "said": "a ball"}\n')
    with pytest.raises(SourceError, match="other fields"):
        read_responses(path)
