"""JSON is written whole, and read with a plain error."""

from pathlib import Path

import pytest

from blindpo.errors import SourceError
from blindpo.jobs.manifest import read_json, write_json


def test_json_is_written_whole_and_read_with_a_plain_error(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1, "a": "\u00e9"})
    assert read_json(tmp_path / "x.json") == {"a": "\u00e9", "b": 1}
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(SourceError, match=r"not JSON.*delete .* and run that command again"):
        read_json(tmp_path / "x.json")
    with pytest.raises(SourceError, match="cannot be read"):
        read_json(tmp_path)
    with pytest.raises(SourceError, match="is missing"):
        read_json(tmp_path / "y.json")
