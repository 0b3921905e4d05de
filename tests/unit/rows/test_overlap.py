"""Which rows count as trained on: by what they ask and by their dialogue, whatever their ids and responses."""

from pathlib import Path

import pytest
from tests.training_rows import drawn_image, row

from blindpo.errors import SourceError
from blindpo.rows.overlap import TRAINED_ON, RowKey, keys_text, num_trained_on, read_keys, row_key, shared_words
from blindpo.rows.row import PreferenceRow, Provenance


def elsewhere(number: int, **changes: object) -> PreferenceRow:
    """Row `number` of another dialogue."""
    return row(number, provenance=Provenance(source="else", source_row_id="0", dialogue_id="0"), **changes)


def test_a_row_is_known_by_its_request_and_by_its_dialogue(tmp_path: Path) -> None:
    (tmp_path / TRAINED_ON).write_text(keys_text([row(0), row(1)]))
    trained = read_keys(tmp_path)
    assert trained == [row_key(row(0)), row_key(row(1))]
    assert num_trained_on([elsewhere(0, row_id="new", chosen=None, blind=())], trained) == 1
    assert num_trained_on([row(0, prompt=(), images=())], trained) == 1, "another row of the same dialogue"
    others = [elsewhere(0, images=(drawn_image("grey"),)), elsewhere(2), row(3)]
    assert num_trained_on(others, trained) == 0
    assert "what" not in (tmp_path / TRAINED_ON).read_text(), "hashes alone"


def test_it_is_said_only_where_rows_are_shared() -> None:
    assert shared_words(0, 9) == ""
    assert shared_words(3, 9).startswith("3 of 9 evaluation rows are training rows")


def test_a_broken_record_is_named_and_a_missing_one_is_empty(tmp_path: Path) -> None:
    assert read_keys(tmp_path) == []
    for broken in ("{", "[1]", '{"request": 1}'):
        (tmp_path / TRAINED_ON).write_text(broken)
        with pytest.raises(SourceError, match="is broken"):
            read_keys(tmp_path)
    (tmp_path / TRAINED_ON).write_text('{"request": "a", "dialogue": "b"}')
    assert read_keys(tmp_path) == [RowKey("a", "b")]
